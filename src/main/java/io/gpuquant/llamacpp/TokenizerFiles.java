package io.gpuquant.llamacpp;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.file.MappedFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What a checkpoint folder says about its tokenizer.
 *
 * @param tokenizer tokenizer.json, an empty object where there is none
 * @param settings tokenizer_config.json, an empty object where there is none
 * @param config config.json
 */
record TokenizerFiles(Path folder, ObjectNode tokenizer, ObjectNode settings, JsonNode config) {

    private static final ObjectMapper JSON = new ObjectMapper();

    /** A token that was added to the vocabulary of the model within tokenizer.json. */
    record AddedToken(int id, String content, boolean special) {}

    static TokenizerFiles read(Path folder, JsonNode config) {
        return new TokenizerFiles(
                folder,
                object(folder.resolve("tokenizer.json")),
                object(folder.resolve("tokenizer_config.json")),
                config);
    }

    static ObjectNode object(Path file) {
        if (!Files.exists(file)) {
            return JsonNodeFactory.instance.objectNode();
        }
        try {
            JsonNode root = JSON.readTree(Files.readAllBytes(file));
            if (root instanceof ObjectNode object) {
                return object;
            }
            throw new InputException(file + " holds no JSON object; get the file again");
        } catch (JsonProcessingException e) {
            throw new InputException(
                    file + " is not valid JSON (line " + e.getLocation().getLineNr() + "); get the file again", e);
        } catch (IOException e) {
            throw MappedFile.unreadable(file, e);
        }
    }

    Path tokenizerFile() {
        return folder.resolve("tokenizer.json");
    }

    /** The vocabulary that the SentencePiece library trained, where the checkpoint has it. */
    Optional<Path> sentencePiece() {
        return Optional.of(folder.resolve("tokenizer.model")).filter(Files::isRegularFile);
    }

    JsonNode model() {
        return tokenizer.path("model");
    }

    List<AddedToken> addedTokens() {
        List<AddedToken> added = new ArrayList<>();
        for (JsonNode token : tokenizer.path("added_tokens")) {
            if (!token.path("id").isInt() || !token.path("content").isTextual()) {
                throw new InputException(
                        tokenizerFile() + " has an added token without id or content; get the file again");
            }
            added.add(new AddedToken(
                    token.path("id").intValue(),
                    token.path("content").textValue(),
                    token.path("special").asBoolean(false)));
        }
        return added;
    }

    /** The text of a special token in tokenizer_config.json, which may be a string or an object. */
    Optional<String> specialToken(String kind) {
        JsonNode entry = settings.path(kind + "_token");
        return Optional.ofNullable(entry.isObject() ? entry.path("content").textValue() : entry.textValue())
                .filter(text -> !text.isEmpty());
    }

    /** A text file of the folder, if it is there. */
    Optional<String> text(String name) {
        Path file = folder.resolve(name);
        if (!Files.isRegularFile(file)) {
            return Optional.empty();
        }
        try {
            return Optional.of(Files.readString(file, StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw MappedFile.unreadable(file, e);
        }
    }
}
