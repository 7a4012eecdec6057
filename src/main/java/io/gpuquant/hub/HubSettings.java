package io.gpuquant.hub;

import io.gpuquant.InputException;
import io.gpuquant.UsageException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Where models come from and where they are kept, by the environment variables of Hugging Face's own tools.
 *
 * @param cache the folder of all cached repositories: {@code HF_HUB_CACHE}, or {@code hub} in {@code HF_HOME}, or
 *     {@code ~/.cache/huggingface/hub}
 * @param endpoint {@code HF_ENDPOINT}, or https://huggingface.co
 * @param token {@code HF_TOKEN}, or the content of the file that {@code hf auth login} writes
 * @param offline whether {@code HF_HUB_OFFLINE} forbids the network
 * @param patience how long to wait before the first repetition of a request that failed; it doubles with each
 * @param silence how long a connection may say nothing before it counts as dropped
 */
public record HubSettings(
        Path cache, URI endpoint, Optional<String> token, boolean offline, Duration patience, Duration silence) {

    private static final String DEFAULT_ENDPOINT = "https://huggingface.co";
    private static final Set<String> YES = Set.of("1", "on", "yes", "true");

    /**
     * The settings of an environment.
     *
     * @param home the user's home folder
     * @throws UsageException when HF_ENDPOINT is no address
     * @throws InputException when the file with the token cannot be read
     */
    public static HubSettings of(Map<String, String> environment, Path home) {
        Path huggingFace = path(environment, "HF_HOME")
                .orElseGet(() -> path(environment, "XDG_CACHE_HOME")
                        .orElse(home.resolve(".cache"))
                        .resolve("huggingface"));
        Path cache = path(environment, "HF_HUB_CACHE")
                .or(() -> path(environment, "HUGGINGFACE_HUB_CACHE"))
                .orElse(huggingFace.resolve("hub"));
        boolean offline = isSet(environment.get("HF_HUB_OFFLINE")) || isSet(environment.get("TRANSFORMERS_OFFLINE"));
        return new HubSettings(
                cache,
                endpoint(environment.getOrDefault("HF_ENDPOINT", "")),
                token(environment, huggingFace),
                offline,
                Duration.ofSeconds(1),
                Duration.ofSeconds(60));
    }

    private static boolean isSet(@Nullable String value) {
        return value != null && YES.contains(value.strip().toLowerCase(Locale.ROOT));
    }

    private static Optional<String> text(Map<String, String> environment, String name) {
        return Optional.ofNullable(environment.get(name)).map(String::strip).filter(text -> !text.isEmpty());
    }

    private static Optional<Path> path(Map<String, String> environment, String name) {
        return text(environment, name).map(Path::of);
    }

    private static URI endpoint(String named) {
        String text = named.isBlank() ? DEFAULT_ENDPOINT : named.strip().replaceAll("/+$", "");
        try {
            URI endpoint = URI.create(text);
            String scheme = String.valueOf(endpoint.getScheme());
            if (endpoint.getHost() != null && (scheme.equals("https") || scheme.equals("http"))) {
                return endpoint;
            }
        } catch (IllegalArgumentException notAnAddress) {
            // Told below, as for an address of another kind.
        }
        throw new UsageException("HF_ENDPOINT is \"" + named
                + "\", which is no address of a hub; set it to one such as " + DEFAULT_ENDPOINT + ", or not at all");
    }

    private static Optional<String> token(Map<String, String> environment, Path huggingFace) {
        Optional<String> given = text(environment, "HF_TOKEN").or(() -> text(environment, "HUGGING_FACE_HUB_TOKEN"));
        if (given.isPresent()) {
            return given;
        }
        Path file = path(environment, "HF_TOKEN_PATH").orElse(huggingFace.resolve("token"));
        if (!Files.isRegularFile(file)) {
            return Optional.empty();
        }
        try {
            return Optional.of(Files.readString(file).strip()).filter(text -> !text.isEmpty());
        } catch (IOException e) {
            throw new InputException(
                    "the file " + file + " with the access token cannot be read (" + e.getMessage()
                            + "); check its permissions, or set HF_TOKEN",
                    e);
        }
    }
}
