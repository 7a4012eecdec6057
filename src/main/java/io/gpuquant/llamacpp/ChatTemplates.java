package io.gpuquant.llamacpp;

import com.fasterxml.jackson.databind.JsonNode;
import io.gpuquant.gguf.GgufValue;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The chat templates of a checkpoint: in tokenizer_config.json, else in a file of their own. */
final class ChatTemplates {

    private static final String KEY = "tokenizer.chat_template";

    private ChatTemplates() {}

    /** The entries of a file's metadata. */
    static Map<String, GgufValue> read(TokenizerFiles files) {
        JsonNode template = files.settings().path("chat_template");
        if (template.isMissingNode() || template.isNull()) {
            return files.text("chat_template.jinja")
                    .<Map<String, GgufValue>>map(text -> Map.of(KEY, GgufValue.text(text)))
                    .orElseGet(
                            () -> entries(TokenizerFiles.object(files.folder().resolve("chat_template.json"))
                                    .path("chat_template")));
        }
        return entries(template);
    }

    private static Map<String, GgufValue> entries(JsonNode template) {
        if (template.isTextual()) {
            return Map.of(KEY, GgufValue.text(template.textValue()));
        }
        Map<String, GgufValue> entries = new LinkedHashMap<>();
        List<String> names = new ArrayList<>();
        for (JsonNode named : template) {
            String name = named.path("name").asText("");
            JsonNode text = named.path("template");
            if (!text.isTextual()) {
                continue;
            }
            if (name.equals("default")) {
                entries.put(KEY, GgufValue.text(text.textValue()));
            } else if (!name.isEmpty()) {
                // Keys have letters, digits and underscores only.
                String plain = name.replaceAll("[^A-Za-z0-9_]", "_");
                names.add(plain);
                entries.put(KEY + "." + plain, GgufValue.text(text.textValue()));
            }
        }
        if (!names.isEmpty()) {
            entries.put("tokenizer.chat_templates", GgufValue.texts(names));
        }
        return entries;
    }
}
