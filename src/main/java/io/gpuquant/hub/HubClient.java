package io.gpuquant.hub;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gpuquant.InputException;
import io.gpuquant.ResourceException;
import io.gpuquant.Version;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/** Talks to a hub over HTTP. The access token goes to the hub itself and to no other host that it sends us to. */
final class HubClient implements AutoCloseable {

    private static final Duration CONNECT = Duration.ofSeconds(15);
    private static final int MOST_REDIRECTS = 10;
    private static final int MOST_LISTING_BYTES = 32 << 20;
    private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");

    /** Etags become file names. */
    private static final Pattern ETAG = Pattern.compile("[0-9A-Za-z][0-9A-Za-z._-]{0,199}");

    private static final ObjectMapper JSON = new ObjectMapper();

    private final HubSettings settings;
    private final DownloadListener listener;
    private final HttpClient http;

    HubClient(HubSettings settings, DownloadListener listener) {
        this.settings = settings;
        this.listener = listener;
        http = HttpClient.newBuilder()
                .followRedirects(HttpClient.Redirect.NEVER)
                .connectTimeout(CONNECT)
                .build();
    }

    /** The names of the files of a repository at a commit. */
    record Listing(String commit, List<String> files) {}

    /**
     * Which commit a revision is at, and its files.
     *
     * @throws InputException when there is no such model or revision, or it may not be seen
     * @throws Retries.Unreachable when the hub cannot be talked to
     */
    Listing list(ModelReference model) {
        URI address = URI.create(
                settings.endpoint() + "/api/models/" + model.repository() + "/revision/" + encoded(model.revision()));
        return Retries.persist(settings, listener, model.toString(), () -> {
            HttpResponse<InputStream> response = send(model, "", request("GET", address));
            try (InputStream body = response.body()) {
                return listing(model, body.readNBytes(MOST_LISTING_BYTES));
            }
        });
    }

    private Listing listing(ModelReference model, byte[] body) {
        try {
            JsonNode root = JSON.readTree(body);
            String commit = root.path("sha").asText("");
            List<String> files = new ArrayList<>();
            root.path("siblings")
                    .forEach(file -> files.add(file.path("rfilename").asText("")));
            if (COMMIT.matcher(commit).matches()) {
                return new Listing(commit, files);
            }
        } catch (JsonProcessingException notJson) {
            // Told below, with the same remedy.
        } catch (IOException impossible) {
            throw new AssertionError("reading from memory does no I/O", impossible);
        }
        throw new InputException(settings.endpoint() + " does not answer as a hub does when it is asked for " + model
                + "; check HF_ENDPOINT, and that no proxy answers in its place");
    }

    /** What a file of a commit is called in the cache and how long it is. */
    HubFile describe(ModelReference model, String commit, String name) {
        return Retries.persist(settings, listener, model + " " + name, () -> {
            HttpResponse<InputStream> response = send(model, name, request("HEAD", address(model, commit, name)));
            response.body().close();
            Optional<String> etag = header(response, "X-Linked-Etag").or(() -> header(response, "ETag"));
            Optional<String> size = header(response, "X-Linked-Size").or(() -> header(response, "Content-Length"));
            String plain = etag.orElse("").replaceFirst("^W/", "").replace("\"", "");
            if (!ETAG.matcher(plain).matches() || !size.orElse("").matches("[0-9]{1,18}")) {
                throw new InputException(settings.endpoint() + " does not say the etag and the size of " + name + " of "
                        + model + ", without which it cannot be checked; use another HF_ENDPOINT");
            }
            return new HubFile(name, plain, Long.parseLong(size.orElseThrow()));
        });
    }

    /** The content of a file from a byte on, or from its start where the server ignores that: its status is then 200. */
    HttpResponse<InputStream> open(ModelReference model, String commit, String name, long from) throws IOException {
        HttpRequest.Builder request = request("GET", address(model, commit, name));
        if (from > 0) {
            request.header("Range", "bytes=" + from + "-");
        }
        return send(model, name, request);
    }

    private URI address(ModelReference model, String commit, String name) {
        return URI.create(settings.endpoint() + "/" + model.repository() + "/resolve/" + commit + "/" + encoded(name));
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }

    private HttpRequest.Builder request(String method, URI address) {
        return HttpRequest.newBuilder(address)
                .timeout(settings.silence())
                .header("User-Agent", "gpuquant/" + Version.number())
                .header("Accept-Encoding", "identity")
                .method(method, HttpRequest.BodyPublishers.noBody());
    }

    /** Sends a request and follows where it is sent on; only an answer with content, or about it, comes back. */
    private HttpResponse<InputStream> send(ModelReference model, String file, HttpRequest.Builder request)
            throws IOException {
        URI address = request.build().uri();
        for (int redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
            HttpRequest.Builder next = request.copy().uri(address);
            if (isHub(address)) {
                settings.token().ifPresent(token -> next.header("Authorization", "Bearer " + token));
            }
            HttpResponse<InputStream> response = exchange(next.build());
            int status = response.statusCode();
            boolean described = response.request().method().equals("HEAD")
                    && header(response, "X-Linked-Etag").isPresent();
            if (status == 200 || status == 206 || status == 416 || (isRedirect(status) && described)) {
                return response;
            }
            response.body().close();
            if (!isRedirect(status)) {
                throw refusal(model, file, response);
            }
            address = target(address, response);
        }
        throw new IOException("more than " + MOST_REDIRECTS + " redirections");
    }

    private HttpResponse<InputStream> exchange(HttpRequest request) throws IOException {
        try {
            return http.send(request, BodyHandlers.ofInputStream());
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new ResourceException("the download was interrupted; run the same command again", interrupted);
        }
    }

    private boolean isHub(URI address) {
        URI hub = settings.endpoint();
        return hub.getScheme().equals(address.getScheme())
                && hub.getHost().equalsIgnoreCase(address.getHost())
                && hub.getPort() == address.getPort();
    }

    private static boolean isRedirect(int status) {
        return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    }

    private static URI target(URI from, HttpResponse<?> response) throws IOException {
        String location = header(response, "Location").orElse("");
        URI target;
        try {
            target = from.resolve(location);
        } catch (IllegalArgumentException e) {
            throw new IOException("a redirection to no address", e);
        }
        boolean weaker = "https".equals(from.getScheme()) && !"https".equals(target.getScheme());
        if (location.isEmpty() || target.getHost() == null || weaker) {
            throw new IOException("a redirection to \"" + location + "\"");
        }
        return target;
    }

    private static Optional<String> header(HttpResponse<?> response, String name) {
        return response.headers().firstValue(name);
    }

    /** The failure that an answer stands for; one that may pass is thrown as such. */
    private InputException refusal(ModelReference model, String file, HttpResponse<?> response) throws TemporaryAnswer {
        int status = response.statusCode();
        if (status >= 500 || status == 429 || status == 408) {
            throw new TemporaryAnswer(status, header(response, "Retry-After"));
        }
        String code = header(response, "X-Error-Code").orElse("");
        String page = settings.endpoint() + "/" + model.repository();
        if (code.equals("RevisionNotFound")) {
            return new InputException(model.repository() + " has no revision \"" + model.revision() + "\"; " + page
                    + " lists its branches");
        }
        if (status == 401 || status == 403) {
            return new InputException(denied(model, page, code.equals("GatedRepo")));
        }
        if (status == 404 && !file.isEmpty()) {
            return new InputException(model + " has no file " + file + "; look at " + page);
        }
        if (status == 404) {
            return new InputException("there is no folder " + model.repository() + " here and no such model at "
                    + settings.endpoint() + "; check the name, or give the path of a checkpoint");
        }
        return new InputException(settings.endpoint() + " refuses " + (model + " " + file).strip() + " with status "
                + status + "; look at " + page);
    }

    private String denied(ModelReference model, String page, boolean gated) {
        if (gated) {
            return model + " is gated: accept its terms at " + page
                    + ", then set HF_TOKEN to an access token of your account"
                    + " (" + settings.endpoint() + "/settings/tokens)"
                    + (settings.token().isPresent() ? "; the token that is set now has no access" : "");
        }
        return settings.token().isPresent()
                ? page + " is not open to the access token that is set; check the name of the model, and HF_TOKEN"
                : "there is no folder " + model.repository() + " here, and " + page
                        + " is not open to everybody or does not exist; check the name, or set HF_TOKEN to an access token"
                        + " that may read it";
    }

    @Override
    public void close() {
        http.shutdownNow();
    }
}
