package io.gpuquant.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * Typed access to one JSON object of a checkpoint's config.json. A key with the value {@code null} counts as absent, as in
 * transformers. Every refusal names the file and the key.
 */
final class ConfigObject {

    /** What to do about a damaged file, as the end of a sentence. */
    static final String RESTORE = "; use the config.json that came with the checkpoint";

    private static final int SHOWN_CHARACTERS = 60;

    private final Path file;
    private final String prefix;
    private final ObjectNode node;

    ConfigObject(Path file, ObjectNode node) {
        this(file, "", node);
    }

    private ConfigObject(Path file, String prefix, ObjectNode node) {
        this.file = file;
        this.prefix = prefix;
        this.node = node;
    }

    ObjectNode node() {
        return node;
    }

    boolean has(String key) {
        return node.hasNonNull(key);
    }

    int positiveInt(String key) {
        JsonNode value = required(key);
        if (!value.isIntegralNumber() || !value.canConvertToInt() || value.intValue() < 1) {
            throw wrong(key, "a positive whole number below 2^31");
        }
        return value.intValue();
    }

    /** A positive number that is no larger than any real model's by far. */
    int size(String key, int largest) {
        int value = positiveInt(key);
        if (value > largest) {
            throw refuse(key, "is " + value + ", more than the " + largest + " that are supported" + RESTORE);
        }
        return value;
    }

    int positiveInt(String key, int fallback) {
        return has(key) ? positiveInt(key) : fallback;
    }

    double positiveNumber(String key) {
        JsonNode value = required(key);
        if (!value.isNumber() || !Double.isFinite(value.doubleValue()) || value.doubleValue() <= 0) {
            throw wrong(key, "a positive number");
        }
        return value.doubleValue();
    }

    double positiveNumber(String key, double fallback) {
        return has(key) ? positiveNumber(key) : fallback;
    }

    boolean flag(String key, boolean fallback) {
        if (!has(key)) {
            return fallback;
        }
        if (!node.get(key).isBoolean()) {
            throw wrong(key, "true or false");
        }
        return node.get(key).booleanValue();
    }

    String text(String key) {
        if (!required(key).isTextual()) {
            throw wrong(key, "a string");
        }
        return node.get(key).textValue();
    }

    Optional<String> optionalText(String key) {
        return has(key) ? Optional.of(text(key)) : Optional.empty();
    }

    /** Whether the file has the key with the value {@code null}. */
    boolean isNull(String key) {
        return node.path(key).isNull();
    }

    List<String> texts(String key) {
        return list(key, "a list of strings", JsonNode::isTextual, JsonNode::textValue);
    }

    List<Integer> indices(String key) {
        return list(key, "a list of whole numbers", JsonNode::canConvertToInt, JsonNode::intValue);
    }

    List<Double> positiveNumbers(String key) {
        return list(
                key,
                "a list of positive numbers",
                value -> value.isNumber() && Double.isFinite(value.doubleValue()) && value.doubleValue() > 0,
                JsonNode::doubleValue);
    }

    private <T> List<T> list(String key, String expected, Predicate<JsonNode> isValid, Function<JsonNode, T> value) {
        List<T> values = new ArrayList<>();
        if (!(required(key) instanceof ArrayNode array)) {
            throw wrong(key, expected);
        }
        for (JsonNode element : array) {
            if (!isValid.test(element)) {
                throw wrong(key, expected);
            }
            values.add(value.apply(element));
        }
        return values;
    }

    Optional<ConfigObject> object(String key) {
        if (!has(key)) {
            return Optional.empty();
        }
        if (!(node.get(key) instanceof ObjectNode child)) {
            throw wrong(key, "a JSON object");
        }
        return Optional.of(new ConfigObject(file, prefix + key + ".", child));
    }

    /** A refusal of the value of {@code key}: {@code reason} follows the file and the key, and ends with what to do. */
    InputException refuse(String key, String reason) {
        return new InputException(file + ": \"" + prefix + key + "\" " + reason);
    }

    private JsonNode required(String key) {
        if (!has(key)) {
            throw refuse(key, "is missing" + RESTORE);
        }
        return node.get(key);
    }

    /** The value of {@code key} for a message: as JSON, so that nothing in it can disturb a terminal, and not too long. */
    String shown(String key) {
        String value = node.get(key).toString();
        return value.length() <= SHOWN_CHARACTERS ? value : value.substring(0, SHOWN_CHARACTERS) + "…";
    }

    private InputException wrong(String key, String expected) {
        return refuse(key, "is " + shown(key) + ", not " + expected + RESTORE);
    }
}
