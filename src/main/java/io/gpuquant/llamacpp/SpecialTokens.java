package io.gpuquant.llamacpp;

import com.fasterxml.jackson.databind.JsonNode;
import io.gpuquant.gguf.GgufValue;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Which tokens begin, end, pad or separate, and which of them a tokenizer adds by itself. The rules are those of llama.cpp's
 * converter, {@code gguf-py/gguf/vocab.py}: tokenizer_config.json says it, else the template of tokenizer.json, else the ids of
 * config.json.
 */
final class SpecialTokens {

    private static final Map<String, String> KEYS = Map.of(
            "bos", "bos_token_id",
            "eos", "eos_token_id",
            "eot", "eot_token_id",
            "unk", "unknown_token_id",
            "sep", "seperator_token_id",
            "pad", "padding_token_id",
            "cls", "cls_token_id",
            "mask", "mask_token_id");

    private static final List<String> ADDED = List.of("bos", "eos", "sep");

    private final TokenizerFiles files;
    private final Map<String, String> texts = new LinkedHashMap<>();
    private final Map<String, Boolean> adds = new LinkedHashMap<>();

    private SpecialTokens(TokenizerFiles files) {
        this.files = files;
    }

    /** The entries of a file's metadata, for a model with {@code size} tokens. */
    static Map<String, GgufValue> read(TokenizerFiles files, int size) {
        SpecialTokens tokens = new SpecialTokens(files);
        tokens.readTexts();
        tokens.readTemplates();
        Map<String, GgufValue> entries = new LinkedHashMap<>();
        for (String kind : List.of("bos", "eos", "eot", "unk", "sep", "pad", "cls", "mask")) {
            tokens.id(kind, size).ifPresent(id -> entries.put("tokenizer.ggml." + KEYS.get(kind), GgufValue.count(id)));
        }
        for (String kind : ADDED) {
            JsonNode setting = files.settings().path("add_" + kind + "_token");
            Boolean added = setting.isBoolean() ? Boolean.valueOf(setting.booleanValue()) : tokens.adds.get(kind);
            if (added != null) {
                entries.put("tokenizer.ggml.add_" + kind + "_token", GgufValue.flag(added));
            }
        }
        return entries;
    }

    private void readTexts() {
        for (String kind : KEYS.keySet()) {
            files.specialToken(kind).ifPresent(text -> texts.put(kind, text));
        }
        // A classifier's first and last tokens stand for those of a text.
        Optional.ofNullable(texts.get("cls")).ifPresent(text -> texts.putIfAbsent("bos", text));
        Optional.ofNullable(texts.get("sep")).ifPresent(text -> texts.putIfAbsent("eos", text));
    }

    private Optional<Integer> id(String kind, int size) {
        Optional<Integer> fromText = Optional.ofNullable(texts.get(kind))
                .flatMap(text -> files.addedTokens().stream()
                        .filter(token -> token.content().equals(text))
                        .map(TokenizerFiles.AddedToken::id)
                        .findFirst());
        JsonNode fromConfig = files.config().path(kind + "_token_id");
        return fromText.or(() -> fromConfig.isInt() ? Optional.of(fromConfig.intValue()) : Optional.empty())
                .filter(id -> id >= 0 && id < size);
    }

    private void readTemplates() {
        JsonNode processor = files.tokenizer().path("post_processor");
        List<JsonNode> parts = new ArrayList<>();
        if (processor.has("processors")) {
            processor.path("processors").forEach(parts::add);
        } else {
            parts.add(processor);
        }
        for (JsonNode part : parts) {
            if (part.path("type").asText("").equals("TemplateProcessing")) {
                readSingle(part.path("single"));
                readPair(part.path("single"), part.path("pair"));
            }
        }
    }

    private void readSingle(JsonNode template) {
        if (template.size() < 2) {
            return;
        }
        special(template.path(0)).ifPresent(first -> {
            if (files.settings().isEmpty()) {
                texts.put("bos", first);
            }
            adds.put("bos", first.equals(texts.get("bos")) || first.equals(texts.get("cls")));
        });
        special(template.path(template.size() - 1)).ifPresent(last -> {
            String end = texts.get("eos");
            if (end != null && !end.equals(last)) {
                // What ends a turn is not what the template ends a text with.
                texts.put("eot", end);
            }
            texts.put("eos", last);
            adds.put("eos", true);
        });
    }

    /** Whether something stands between the two texts of a pair. */
    private void readPair(JsonNode single, JsonNode pair) {
        if (pair.isEmpty()) {
            return;
        }
        Optional<String> first = special(single.path(0));
        Optional<String> last = special(single.path(single.size() - 1));
        int from = first.isPresent() && first.equals(special(pair.path(0))) ? 1 : 0;
        int to = pair.size() - (last.isPresent() && last.equals(special(pair.path(pair.size() - 1))) ? 1 : 0);
        boolean isPair = to - from > 2
                && pair.path(from).path("Sequence").path("id").asText("").equals("A")
                && pair.path(to - 1).path("Sequence").path("id").asText("").equals("B");
        if (isPair) {
            boolean separates = separates(pair.path(from + 1)) && last.isEmpty();
            separates |= to - from == 4 && separates(pair.path(from + 2));
            adds.put("sep", separates);
        }
    }

    private boolean separates(JsonNode piece) {
        return special(piece)
                .filter(text -> text.equals(texts.get("sep")) || text.equals(texts.get("eos")))
                .isPresent();
    }

    private static Optional<String> special(JsonNode piece) {
        return Optional.ofNullable(piece.path("SpecialToken").path("id").textValue());
    }
}
