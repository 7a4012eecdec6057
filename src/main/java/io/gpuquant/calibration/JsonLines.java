package io.gpuquant.calibration;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeType;
import com.fasterxml.jackson.databind.node.TextNode;
import io.gpuquant.InputException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Locale;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** A {@code .jsonl} file: one document per line, in a string field of a JSON object. */
final class JsonLines implements Documents {

    private static final ObjectMapper JSON = new ObjectMapper(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxStringLength(MAX_DOCUMENT_BYTES)
                            .build())
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private static final int SHOWN_FIELDS = 12;

    private final Path path;
    private final String field;
    private final LineReader lines;
    private long objects;
    private boolean anyText;

    JsonLines(Path path, String field) {
        this.path = path;
        this.field = field;
        this.lines = new LineReader(path);
    }

    @Override
    public @Nullable String next() {
        for (String line = lines.next(); line != null; line = lines.next()) {
            if (line.isBlank()) {
                continue;
            }
            objects++;
            String text = text(line);
            if (!text.isBlank()) {
                anyText = true;
                return text;
            }
        }
        if (!anyText) {
            throw TextFile.withoutText(path, whyWithoutText());
        }
        return null;
    }

    private String whyWithoutText() {
        if (lines.line() == 0) {
            return "is empty";
        }
        return objects == 0 ? "has only blank lines" : "has no text in the field \"" + field + "\" of any line";
    }

    private String text(String line) {
        JsonNode object = parse(line);
        if (!object.isObject()) {
            throw refuse("holds " + describe(object) + ", not a JSON object; put one object on each line");
        }
        JsonNode value = object.path(field);
        if (value.isMissingNode()) {
            throw refuse("has no field \"" + field + "\" but " + fields(object)
                    + "; name the one with the text with --text-field");
        }
        if (!value.isTextual()) {
            throw refuse("has " + describe(value) + " in the field \"" + field
                    + "\", not a string; name the field with the text with --text-field");
        }
        String text = value.textValue();
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw refuse("has half a surrogate pair in the field \"" + field
                    + "\", which is no Unicode text; fix or remove that line");
        }
        return text;
    }

    private JsonNode parse(String line) {
        try {
            return JSON.readTree(line);
        } catch (JsonProcessingException e) {
            throw new InputException(
                    message("is not valid JSON at column " + e.getLocation().getColumnNr()
                            + "; fix or remove that line"),
                    e);
        }
    }

    private static String fields(JsonNode object) {
        if (object.isEmpty()) {
            return "no field at all";
        }
        String names = object.properties().stream()
                .limit(SHOWN_FIELDS)
                .map(entry -> quoted(entry.getKey()))
                .collect(Collectors.joining(", "));
        return object.size() > SHOWN_FIELDS ? names + ", …" : names;
    }

    /** A string for a message: as JSON, so that nothing in it can disturb a terminal. */
    static String quoted(String text) {
        return TextNode.valueOf(text).toString();
    }

    private static String describe(JsonNode value) {
        JsonNodeType type = value.getNodeType();
        return switch (type) {
            case NULL -> "null";
            case ARRAY, OBJECT -> "an " + type.name().toLowerCase(Locale.ROOT);
            default -> "a " + type.name().toLowerCase(Locale.ROOT);
        };
    }

    private InputException refuse(String reason) {
        return new InputException(message(reason));
    }

    private String message(String reason) {
        return path + " line " + lines.line() + " " + reason;
    }

    @Override
    public void close() {
        lines.close();
    }
}
