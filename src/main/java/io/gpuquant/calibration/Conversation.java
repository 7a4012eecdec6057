package io.gpuquant.calibration;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeType;
import io.gpuquant.InputException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads a conversation: messages with {@code role} and {@code content}, as chat templates want them, or with {@code from} and
 * {@code value} and the speakers of ShareGPT.
 *
 * @param place the file and the row
 * @param field the field of the row
 */
record Conversation(String place, String field) {

    private static final Map<String, String> SHAREGPT_ROLES = Map.ofEntries(
            Map.entry("human", "user"),
            Map.entry("user", "user"),
            Map.entry("gpt", "assistant"),
            Map.entry("chatgpt", "assistant"),
            Map.entry("bing", "assistant"),
            Map.entry("bard", "assistant"),
            Map.entry("model", "assistant"),
            Map.entry("assistant", "assistant"),
            Map.entry("system", "system"),
            Map.entry("tool", "tool"),
            Map.entry("function_response", "tool"),
            Map.entry("observation", "tool"));

    Document.Chat read(JsonNode array, JsonNode tools) {
        if (array.isEmpty()) {
            throw refuse("has an empty list; remove that row");
        }
        List<Map<String, @Nullable Object>> messages = new ArrayList<>();
        for (JsonNode message : array) {
            messages.add(message(message, messages.size() + 1));
        }
        return new Document.Chat(messages, tools.isArray() && !tools.isEmpty() ? plain(tools) : null, place);
    }

    private Map<String, @Nullable Object> message(JsonNode node, int number) {
        if (!node.isObject()) {
            throw refuse("has " + JsonText.describe(node) + " as message " + number
                    + ", not an object with \"role\" and \"content\"; fix or remove that row");
        }
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(node.toString())) {
            throw refuse("has half a surrogate pair in message " + number
                    + ", which is no Unicode text; fix or remove that row");
        }
        Map<String, @Nullable Object> message = new LinkedHashMap<>();
        boolean shareGpt = node.has("from") && !node.has("role");
        String role = text(node, shareGpt ? "from" : "role", number);
        message.put("role", shareGpt ? speaker(role, number) : role);
        message.put("content", content(node, shareGpt ? "value" : "content", number));
        node.properties().stream()
                .filter(entry -> !message.containsKey(entry.getKey()) && !(shareGpt && isShareGpt(entry.getKey())))
                // Files of columns have a field in every row if any row has it.
                .filter(entry -> !entry.getValue().isNull())
                .forEach(entry -> message.put(entry.getKey(), plain(entry.getValue())));
        return message;
    }

    private static boolean isShareGpt(String key) {
        return key.equals("from") || key.equals("value");
    }

    private String speaker(String from, int number) {
        String role = SHAREGPT_ROLES.get(from);
        if (role == null) {
            throw refuse("has " + JsonText.quoted(from) + " as the speaker of message " + number
                    + ", which is no role of a chat; use \"human\", \"gpt\", \"system\" or \"tool\"");
        }
        return role;
    }

    private String text(JsonNode node, String key, int number) {
        JsonNode value = node.path(key);
        if (!value.isTextual()) {
            throw refuse("has no string \"" + key + "\" in message " + number + "; fix or remove that row");
        }
        return value.textValue();
    }

    /** A string, or parts, or nothing where a message only calls tools. */
    private @Nullable Object content(JsonNode node, String key, int number) {
        JsonNode value = node.path(key);
        boolean callsTools = node.path("tool_calls").isArray();
        if (value.isTextual() || value.isArray() || (callsTools && (value.isNull() || value.isMissingNode()))) {
            return value.isMissingNode() ? null : plain(value);
        }
        throw refuse("has " + (value.isMissingNode() ? "nothing" : JsonText.describe(value)) + " in \"" + key
                + "\" of message " + number + ", not a string; fix or remove that row");
    }

    private static @Nullable Object plain(JsonNode node) {
        return node.getNodeType() == JsonNodeType.NULL
                ? null
                : JsonText.MAPPER.convertValue(node, new TypeReference<Object>() {});
    }

    private InputException refuse(String reason) {
        return new InputException(place + " " + reason + " (field \"" + field + "\")");
    }
}
