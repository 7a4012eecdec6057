package io.gpuquant.calibration;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.gpuquant.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * tokenizer_config.json, and special_tokens_map.json for what is not in it. Both may be absent.
 *
 * @param file the former
 * @param json its content, an empty object if it is absent
 * @param others the content of the latter
 */
record TokenizerConfig(Path file, JsonNode json, JsonNode others) {

    private static final List<String> SPECIAL =
            List.of("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token");
    private static final int MOST_BYTES = 64 << 20;

    /**
     * Reads it.
     *
     * @throws InputException when a file is damaged
     */
    static TokenizerConfig of(Path modelFolder) {
        Path file = modelFolder.resolve("tokenizer_config.json");
        Path others = modelFolder.resolve("special_tokens_map.json");
        return new TokenizerConfig(file, optional(file), optional(others));
    }

    private static JsonNode optional(Path file) {
        return Files.isRegularFile(file) ? readJson(file) : JsonNodeFactory.instance.objectNode();
    }

    /** Whether a key such as {@code add_bos_token} says yes or no; empty if it says nothing. */
    Optional<Boolean> flag(String key) {
        JsonNode value = json.path(key);
        return value.isBoolean() ? Optional.of(value.booleanValue()) : Optional.empty();
    }

    /** The text of a special token, such as {@code bos_token}. */
    Optional<String> token(String key) {
        JsonNode value = json.has(key) ? json.path(key) : others.path(key);
        String text = value.isObject() ? value.path("content").asText("") : value.asText("");
        return text.isEmpty() || value.isNull() ? Optional.empty() : Optional.of(text);
    }

    /** The special tokens by their keys, as chat templates know them. */
    Map<String, Object> specialTokens() {
        Map<String, Object> tokens = new LinkedHashMap<>();
        SPECIAL.forEach(key -> token(key).ifPresent(text -> tokens.put(key, text)));
        return tokens;
    }

    /** The content of a JSON file that belongs to a tokenizer. */
    static JsonNode readJson(Path file) {
        try {
            return JsonText.MAPPER.readTree(read(file));
        } catch (JsonProcessingException e) {
            throw new InputException(
                    file + " is damaged (line " + e.getLocation().getLineNr() + ", column "
                            + e.getLocation().getColumnNr() + "); use the one that came with the checkpoint",
                    e);
        }
    }

    /** The text of a file that belongs to a tokenizer. */
    static String read(Path file) {
        try {
            if (Files.size(file) > MOST_BYTES) {
                throw new InputException(file + " is larger than " + (MOST_BYTES >> 20)
                        + " MiB; use the one that came with the checkpoint");
            }
            return Utf8.decode(Files.readAllBytes(file), file, 1);
        } catch (IOException e) {
            throw TextFile.unreadable(file, e);
        }
    }
}
