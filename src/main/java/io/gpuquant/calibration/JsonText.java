package io.gpuquant.calibration;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeType;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.Locale;

/** JSON of text files, and in messages. */
final class JsonText {

    static final ObjectMapper MAPPER = new ObjectMapper(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxStringLength(Documents.MAX_DOCUMENT_BYTES)
                            .build())
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(DeserializationFeature.USE_LONG_FOR_INTS);

    private JsonText() {}

    /** A string for a message: as JSON, so that nothing in it can disturb a terminal. */
    static String quoted(String text) {
        return TextNode.valueOf(text).toString();
    }

    /** What a value is, for a message. */
    static String describe(JsonNode value) {
        JsonNodeType type = value.getNodeType();
        return switch (type) {
            case NULL -> "null";
            case ARRAY, OBJECT -> "an " + type.name().toLowerCase(Locale.ROOT);
            default -> "a " + type.name().toLowerCase(Locale.ROOT);
        };
    }
}
