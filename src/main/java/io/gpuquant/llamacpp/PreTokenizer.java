package io.gpuquant.llamacpp;

import com.fasterxml.jackson.databind.JsonNode;
import io.gpuquant.InputException;
import io.gpuquant.file.Quoted;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * How a byte-level BPE tokenizer cuts a text into words, under the name that llama.cpp knows it by. It is recognised by the
 * patterns in tokenizer.json, not by the ids of a sample text, so that a vocabulary with more tokens is no other tokenizer.
 */
final class PreTokenizer {

    private static final String CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private static final String LETTERS = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
    private static final String REST = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String REST_WITH_SLASH = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
    private static final String LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";

    private static final String LLAMA3 = CONTRACTIONS + "|" + LETTERS + "|\\p{N}{1,3}" + REST;
    private static final String TEKKEN = "[^\\r\\n\\p{L}\\p{N}]?" + UPPER + "*" + LOWER + "+|[^\\r\\n\\p{L}\\p{N}]?"
            + UPPER + "+" + LOWER + "*|\\p{N}" + REST_WITH_SLASH;
    private static final String GPT4O = "[^\\r\\n\\p{L}\\p{N}]?" + UPPER + "*" + LOWER + "+" + CONTRACTIONS
            + "?|[^\\r\\n\\p{L}\\p{N}]?" + UPPER + "+" + LOWER + "*" + CONTRACTIONS + "?|\\p{N}{1,3}" + REST_WITH_SLASH;

    /** What a byte-level step with its own pattern is written as among {@link #steps}. */
    private static final String BYTE_LEVEL = "ByteLevel";

    private static final String SINGLE_DIGITS = "Digits";

    private static final Map<List<String>, String> KNOWN = Map.of(
            List.of(CONTRACTIONS + "|" + LETTERS + "|\\p{N}" + REST), "qwen2",
            List.of(CONTRACTIONS + "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*"
                            + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"),
                    "qwen35",
            List.of(TEKKEN), "tekken",
            List.of(GPT4O), "gpt-4o",
            List.of(BYTE_LEVEL), "gpt-2",
            List.of(SINGLE_DIGITS, BYTE_LEVEL), "smollm");

    private PreTokenizer() {}

    /**
     * The name of the pre-tokenizer.
     *
     * @param tokenizer the content of tokenizer.json
     * @param file where it comes from, for the message
     * @throws InputException when llama.cpp has none that works this way, as far as is known here
     */
    static String name(JsonNode tokenizer, Path file) {
        List<String> steps = new ArrayList<>();
        collect(tokenizer.path("pre_tokenizer"), steps);
        return named(steps, tokenizer.path("model").path("ignore_merges").asBoolean(false))
                .orElseThrow(
                        () -> new InputException(file + " cuts text by a pre-tokenizer that gpuquant has no llama.cpp"
                                + " name for (" + Quoted.text(String.join(" then ", steps))
                                + "); give the name that llama.cpp has for it with --pre, or use one that cuts alike"));
    }

    private static Optional<String> named(List<String> steps, boolean ignoreMerges) {
        if (steps.equals(List.of(LLAMA3))) {
            // llama-bpe also takes words that are tokens before it merges; dbrx cuts alike and does not.
            return Optional.of(ignoreMerges ? "llama-bpe" : "dbrx");
        }
        return Optional.ofNullable(KNOWN.get(steps));
    }

    private static void collect(JsonNode step, List<String> steps) {
        String type = step.path("type").asText("");
        switch (type) {
            case "Sequence" -> step.path("pretokenizers").forEach(part -> collect(part, steps));
            case "Split" -> {
                JsonNode pattern = step.path("pattern");
                steps.add(pattern.path("Regex")
                        .asText("the string " + pattern.path("String").asText("")));
            }
            case "ByteLevel" -> {
                if (step.path("use_regex").asBoolean(true)) {
                    steps.add(BYTE_LEVEL);
                }
            }
            case "Digits" ->
                steps.add(step.path("individual_digits").asBoolean(false) ? SINGLE_DIGITS : "Digits in runs");
            default -> steps.add(type.isEmpty() ? "nothing" : type);
        }
    }
}
