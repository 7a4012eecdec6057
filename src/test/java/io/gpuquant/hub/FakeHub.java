package io.gpuquant.hub;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;

/**
 * A hub on this machine with one repository, and the faults that hubs and networks have. Large files are served by another
 * host, as the real hub does: the same server under its other name, localhost.
 */
public final class FakeHub implements AutoCloseable {

    public static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";

    static {
        // Else every answer waits 40 ms for an acknowledgement.
        System.setProperty("sun.net.httpserver.nodelay", "true");
    }

    private final HttpServer server;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final String repository;
    private final Map<String, byte[]> files = new TreeMap<>();

    /** What was asked, such as {@code GET /resolve/config.json}, with the range and whether a token came along. */
    final List<String> log = new CopyOnWriteArrayList<>();

    /** The commit that each revision is at. */
    final Map<String, String> revisions = new ConcurrentHashMap<>(Map.of("main", COMMIT, COMMIT, COMMIT));

    /** Connections that are dropped in the middle of a large file. */
    final AtomicInteger drops = new AtomicInteger();

    /** Is called before a connection is dropped, with the bytes of the file that were sent until then. */
    volatile IntConsumer beforeDrop = sent -> {};

    /** Large files that arrive with a wrong byte. */
    final AtomicInteger damaged = new AtomicInteger();

    /** Requests that are answered with {@link #overload}. */
    final AtomicInteger overloaded = new AtomicInteger();

    volatile int overload = 503;

    /** A status and an X-Error-Code for everything, none if empty. */
    volatile String refusal = "";

    /** The token without which the repository is gated; none if empty. */
    volatile String gate = "";

    /** Whether the other host can send the rest of a file. */
    volatile boolean ranges = true;

    /** Size that is announced instead of the true one, if not negative. */
    volatile long announced = -1;

    public FakeHub(String repository) throws IOException {
        this.repository = repository;
        server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.setExecutor(threads);
        server.createContext("/", this::answer);
        server.start();
    }

    public FakeHub put(String name, byte[] content) {
        files.put(name, content);
        return this;
    }

    FakeHub put(String name, String content) {
        return put(name, content.getBytes(StandardCharsets.UTF_8));
    }

    /** Whether the content of any large file was asked for. */
    public boolean hasSentWeights() {
        return log.stream().anyMatch(line -> line.startsWith("GET /cdn/"));
    }

    public URI endpoint() {
        return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
    }

    static boolean isLarge(String name) {
        return name.endsWith(".safetensors") || name.endsWith(".bin");
    }

    static String etag(String name, byte[] content) {
        try {
            if (isLarge(name)) {
                return HexFormat.of()
                        .formatHex(MessageDigest.getInstance("SHA-256").digest(content));
            }
            MessageDigest git = MessageDigest.getInstance("SHA-1");
            git.update(("blob " + content.length + "\0").getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(git.digest(content));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    private void answer(HttpExchange exchange) {
        try (exchange) {
            String path = exchange.getRequestURI().getRawPath();
            String range = String.valueOf(exchange.getRequestHeaders().getFirst("Range"));
            String token = String.valueOf(exchange.getRequestHeaders().getFirst("Authorization"));
            log.add(exchange.getRequestMethod() + " " + path + (range.equals("null") ? "" : " " + range)
                    + (token.equals("null") ? "" : " token"));
            if (overloaded.getAndUpdate(n -> Math.max(0, n - 1)) > 0) {
                exchange.sendResponseHeaders(overload, -1);
            } else if (!refusal.isEmpty()) {
                refuse(exchange, refusal);
            } else if (path.startsWith("/cdn/")) {
                content(exchange, path.substring("/cdn/".length()), range);
            } else if (!gate.isEmpty() && !token.equals("Bearer " + gate)) {
                refuse(exchange, token.equals("null") ? "401 GatedRepo" : "403 GatedRepo");
            } else if (path.startsWith("/api/models/" + repository + "/revision/")) {
                list(exchange, path.substring(("/api/models/" + repository + "/revision/").length()));
            } else if (path.startsWith("/" + repository + "/resolve/")) {
                resolve(exchange, path.substring(("/" + repository + "/resolve/").length()));
            } else {
                refuse(exchange, "404 RepoNotFound");
            }
        } catch (IOException e) {
            // The client has gone.
        }
    }

    private static void refuse(HttpExchange exchange, String how) throws IOException {
        String[] words = how.split(" ");
        if (words.length > 1) {
            exchange.getResponseHeaders().set("X-Error-Code", words[1]);
        }
        exchange.sendResponseHeaders(Integer.parseInt(words[0]), -1);
    }

    private void list(HttpExchange exchange, String revision) throws IOException {
        String commit = revisions.get(revision);
        if (commit == null) {
            refuse(exchange, "404 RevisionNotFound");
            return;
        }
        ObjectNode json = new ObjectMapper().createObjectNode().put("sha", commit);
        files.keySet().forEach(name -> json.withArray("siblings").addObject().put("rfilename", name));
        json.withArray("siblings").addObject().put("rfilename", "../../outside.json");
        json.withArray("siblings").addObject().put("rfilename", "onnx/model.onnx");
        byte[] body = json.toString().getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(200, body.length);
        exchange.getResponseBody().write(body);
    }

    private void resolve(HttpExchange exchange, String path) throws IOException {
        String commit = path.substring(0, path.indexOf('/'));
        String name = path.substring(path.indexOf('/') + 1);
        byte[] content = files.get(name);
        if (content == null || !revisions.containsValue(commit)) {
            refuse(exchange, "404 EntryNotFound");
            return;
        }
        String etag = "\"" + etag(name, content) + "\"";
        long size = announced >= 0 ? announced : content.length;
        if (isLarge(name)) {
            exchange.getResponseHeaders().set("X-Linked-Etag", etag);
            exchange.getResponseHeaders().set("X-Linked-Size", String.valueOf(size));
            exchange.getResponseHeaders()
                    .set("Location", "http://localhost:" + server.getAddress().getPort() + "/cdn/" + name);
            exchange.sendResponseHeaders(302, -1);
            return;
        }
        exchange.getResponseHeaders().set("ETag", etag);
        if (exchange.getRequestMethod().equals("HEAD")) {
            exchange.getResponseHeaders().set("Content-Length", String.valueOf(content.length));
            exchange.sendResponseHeaders(200, -1);
        } else {
            exchange.sendResponseHeaders(200, content.length);
            exchange.getResponseBody().write(content);
        }
    }

    private void content(HttpExchange exchange, String name, String range) throws IOException {
        byte[] content = Objects.requireNonNull(files.get(name)).clone();
        if (damaged.getAndUpdate(n -> Math.max(0, n - 1)) > 0) {
            content[content.length / 2] ^= 1;
        }
        int from = 0;
        if (ranges && range.startsWith("bytes=")) {
            from = Integer.parseInt(range.substring(6, range.indexOf('-')));
            exchange.getResponseHeaders()
                    .set("Content-Range", "bytes " + from + "-" + (content.length - 1) + "/" + content.length);
            exchange.sendResponseHeaders(206, content.length - from);
        } else {
            exchange.sendResponseHeaders(200, content.length);
        }
        boolean drop = drops.getAndUpdate(n -> Math.max(0, n - 1)) > 0;
        int to = drop ? from + (content.length - from) / 2 : content.length;
        exchange.getResponseBody().write(Arrays.copyOfRange(content, from, to));
        if (drop) {
            exchange.getResponseBody().flush();
            beforeDrop.accept(to);
        }
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
