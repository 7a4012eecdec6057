package io.gpuquant.llamacpp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.gguf.GgufValue;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class VocabularyTest {

    private static final Path DEMO = Path.of("datasets/demo-llama");
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    Path folder;

    /** Every tokenizer entry that llama.cpp's converter wrote for the demo model. */
    @Test
    void hasTheEntriesOfTheConverter() throws Exception {
        JsonNode golden;
        try (InputStream in = VocabularyTest.class.getResourceAsStream("/goldens/gguf/demo-llama.json")) {
            golden = JSON.readTree(Objects.requireNonNull(in)).path("F16").path("metadata");
        }

        Map<String, GgufValue> entries = Vocabulary.read(
                        DEMO, JSON.readTree(Files.readString(DEMO.resolve("config.json"))), 1024, Optional.empty())
                .entries();

        List<String> keys = golden.propertyStream()
                .map(Map.Entry::getKey)
                .filter(key -> key.startsWith("tokenizer."))
                .toList();
        assertThat(entries.keySet()).containsExactlyInAnyOrderElementsOf(keys);
        for (String key : keys) {
            JsonNode expected = golden.path(key);
            switch (Objects.requireNonNull(entries.get(key))) {
                case GgufValue.Text text -> assertThat(text.value()).isEqualTo(expected.textValue());
                case GgufValue.Flag flag -> assertThat(flag.value()).isEqualTo(expected.booleanValue());
                case GgufValue.Whole whole -> assertThat(whole.value()).isEqualTo(expected.longValue());
                case GgufValue.Real real -> assertThat(real.value()).isEqualTo(expected.doubleValue());
                case GgufValue.Array array -> {
                    assertThat(array.elements()).hasSize(expected.path("length").intValue());
                    assertThat(sha256(array))
                            .as(key)
                            .isEqualTo(expected.path("sha256").textValue());
                }
            }
        }
    }

    /** Of the array as Python writes it as JSON, which is how the digests were made. */
    private static String sha256(GgufValue.Array array) throws Exception {
        String json = array.elements().stream()
                .map(element -> element instanceof String text ? quoted(text) : element.toString())
                .collect(Collectors.joining(", ", "[", "]"));
        return HexFormat.of()
                .formatHex(MessageDigest.getInstance("SHA-256").digest(json.getBytes(StandardCharsets.UTF_8)));
    }

    private static String quoted(String text) {
        try {
            return JSON.writeValueAsString(text);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private Map<String, GgufValue> read(int size, String tokenizer, String settings, String config) throws IOException {
        return metadata(size, tokenizer, settings, config).entries();
    }

    private Vocabulary.Metadata metadata(int size, String tokenizer, String settings, String config)
            throws IOException {
        if (!tokenizer.isEmpty()) {
            Files.writeString(folder.resolve("tokenizer.json"), tokenizer);
        }
        if (!settings.isEmpty()) {
            Files.writeString(folder.resolve("tokenizer_config.json"), settings);
        }
        return Vocabulary.read(folder, JSON.readTree(config), size, Optional.empty());
    }

    private static List<?> list(Map<String, GgufValue> entries, String key) {
        return ((GgufValue.Array) Objects.requireNonNull(entries.get("tokenizer.ggml." + key))).elements();
    }

    private static Object value(Map<String, GgufValue> entries, String key) {
        return switch (Objects.requireNonNull(entries.get(key), key)) {
            case GgufValue.Text text -> text.value();
            case GgufValue.Flag flag -> flag.value();
            case GgufValue.Whole whole -> whole.value();
            case GgufValue.Real real -> real.value();
            case GgufValue.Array array -> array.elements();
        };
    }

    private static final String BYTE_LEVEL = """
            {"added_tokens": [
               {"id": 3, "content": "<|im_end|>", "special": false},
               {"id": 4, "content": "▁▁tool", "special": false},
               {"id": 5, "content": "<s>", "special": true}],
             "pre_tokenizer": {"type": "ByteLevel", "use_regex": true},
             "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "aĠb": 2}, "merges": [["a", " b"]]}}""";

    @Test
    void byteLevelTokensHaveTypesAndFillersUpToTheModelsSize() throws IOException {
        Map<String, GgufValue> entries = read(8, BYTE_LEVEL, "", "{\"eos_token_id\": 3, \"bos_token_id\": 99}");

        assertThat(list(entries, "tokens"))
                .isEqualTo(List.of("a", "b", "aĠb", "<|im_end|>", "  tool", "<s>", "[PAD6]", "[PAD7]"));
        assertThat(list(entries, "token_type")).isEqualTo(List.of(1L, 1L, 1L, 3L, 4L, 3L, 5L, 5L));
        assertThat(list(entries, "merges")).isEqualTo(List.of("a Ġb"));
        assertThat(value(entries, "tokenizer.ggml.pre")).isEqualTo("gpt-2");
        assertThat(value(entries, "tokenizer.ggml.eos_token_id")).isEqualTo(3L);
        assertThat(entries).doesNotContainKey("tokenizer.ggml.bos_token_id");
    }

    @Test
    void settingsComeBeforeTemplatesAndTemplatesBeforeNothing() throws IOException {
        ObjectNode tokenizer = (ObjectNode) JSON.readTree(BYTE_LEVEL);
        tokenizer.set("post_processor", JSON.readTree("""
                {"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"type": "TemplateProcessing",
                 "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "<|im_end|>"}}],
                 "pair": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "<|im_end|>"}},
                          {"Sequence": {"id": "B"}}, {"SpecialToken": {"id": "<|im_end|>"}}]}]}"""));

        Map<String, GgufValue> entries = read(
                6, tokenizer.toString(), "{\"bos_token\": {\"content\": \"<s>\"}, \"eos_token\": \"▁▁tool\"}", "{}");
        assertThat(value(entries, "tokenizer.ggml.bos_token_id")).isEqualTo(5L);
        assertThat(value(entries, "tokenizer.ggml.eos_token_id")).isEqualTo(3L);
        assertThat(value(entries, "tokenizer.ggml.eot_token_id")).isEqualTo(4L);
        assertThat(value(entries, "tokenizer.ggml.add_bos_token")).isEqualTo(true);
        assertThat(value(entries, "tokenizer.ggml.add_eos_token")).isEqualTo(true);
        assertThat(value(entries, "tokenizer.ggml.add_sep_token")).isEqualTo(false);

        Map<String, GgufValue> set =
                read(6, "", "{\"bos_token\": \"<s>\", \"add_bos_token\": false, \"add_eos_token\": true}", "{}");
        assertThat(value(set, "tokenizer.ggml.add_bos_token")).isEqualTo(false);
        assertThat(value(set, "tokenizer.ggml.add_eos_token")).isEqualTo(true);
    }

    @Test
    void bytesToFallBackOnMakeASentencePieceVocabulary() throws IOException {
        Map<String, GgufValue> entries = read(7, """
                {"added_tokens": [{"id": 0, "content": "<unk>", "special": true}, {"id": 5, "content": "</s>", "special": true}],
                 "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}]},
                 "model": {"type": "BPE", "byte_fallback": true, "unk_token": "<unk>",
                           "vocab": {"<unk>": 0, "<0x0A>": 1, "▁": 2, "a": 3, "▁a": 4, "</s>": 5, "▁▁a": 6},
                           "merges": ["▁ a", "▁ ▁a"]}}""", "", "{}");

        assertThat(value(entries, "tokenizer.ggml.model")).isEqualTo("llama");
        assertThat(value(entries, "tokenizer.ggml.pre")).isEqualTo("default");
        assertThat(value(entries, "tokenizer.ggml.add_space_prefix")).isEqualTo(true);
        assertThat(list(entries, "token_type")).isEqualTo(List.of(2L, 6L, 1L, 1L, 1L, 3L, 1L));
        List<?> scores = list(entries, "scores");
        assertThat(scores.get(4)).isEqualTo(0.0);
        assertThat(scores.get(6)).isEqualTo(-1.0);
        assertThat((Double) scores.get(3)).isLessThan(-1);
        assertThat(entries).doesNotContainKey("tokenizer.ggml.merges");
    }

    private static byte[] field(int number, byte[] message) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(number << 3 | 2);
        out.write(message.length);
        out.writeBytes(message);
        return out.toByteArray();
    }

    private static byte[] piece(String text, float score, int type) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(field(1, text.getBytes(StandardCharsets.UTF_8)));
        out.write(2 << 3 | 5);
        out.writeBytes(ByteBuffer.allocate(4)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putFloat(score)
                .array());
        if (type != 1) {
            out.writeBytes(new byte[] {3 << 3, (byte) type});
        }
        return field(1, out.toByteArray());
    }

    private static byte[] sentencePieceModel() {
        ByteArrayOutputStream model = new ByteArrayOutputStream();
        model.writeBytes(piece("<unk>", 0, 2));
        model.writeBytes(piece("<s>", 0, 3));
        model.writeBytes(piece("<0x00>", 0, 6));
        model.writeBytes(piece("▁a", -0.5f, 1));
        model.writeBytes(piece("user", -2, 4));
        model.writeBytes(new byte[] {2 << 3 | 2, 1, 0}); // the trainer's settings
        model.writeBytes(field(3, new byte[] {3 << 3, 0})); // a normalizer that adds no space
        return model.toByteArray();
    }

    @Test
    void readsSentencePieceModels() throws IOException {
        Files.write(folder.resolve("tokenizer.model"), sentencePieceModel());
        Files.writeString(folder.resolve("added_tokens.json"), "{\"extra\": 5}");

        Map<String, GgufValue> entries = read(8, "", """
                {"added_tokens_decoder": {"1": {"content": "<s>", "special": true}, "6": {"content": "▁x", "special": false}},
                 "chat_template": [{"name": "default", "template": "{{ a }}"}, {"name": "tool use", "template": "{{ b }}"}]}""", "{}");

        assertThat(list(entries, "tokens"))
                .isEqualTo(List.of("<unk>", "<s>", "<0x00>", "▁a", "user", "extra", " x", "[PAD7]"));
        assertThat(list(entries, "token_type")).isEqualTo(List.of(2L, 3L, 6L, 1L, 1L, 4L, 4L, 5L));
        assertThat(list(entries, "scores"))
                .isEqualTo(List.of(0.0, -1000.0, 0.0, -0.5, -2.0, -1000.0, -1000.0, -1000.0));
        assertThat(value(entries, "tokenizer.ggml.add_space_prefix")).isEqualTo(false);
        assertThat(value(entries, "tokenizer.chat_template")).isEqualTo("{{ a }}");
        assertThat(value(entries, "tokenizer.chat_template.tool_use")).isEqualTo("{{ b }}");
        assertThat(value(entries, "tokenizer.chat_templates")).isEqualTo(List.of("tool_use"));
    }

    @Test
    void damagedSentencePieceModelsAreReadOrRefused() throws IOException {
        byte[] good = sentencePieceModel();
        Path file = folder.resolve("tokenizer.model");
        int refused = 0;
        for (int at = 0; at < good.length; at++) {
            for (int value : new int[] {0, 0x7f, 0xff}) {
                byte[] bad = good.clone();
                bad[at] = (byte) value;
                Files.write(file, bad);
                try {
                    SentencePieceModel.read(file);
                } catch (InputException e) {
                    assertThat(e.getMessage()).startsWith(file.toString());
                    refused++;
                }
            }
        }
        assertThat(refused).isGreaterThan(20);
    }

    @Test
    void takesTheTemplateOfAFileOfItsOwn() throws IOException {
        Files.writeString(folder.resolve("chat_template.json"), "{\"chat_template\": \"from json\"}");
        assertThat(value(read(6, BYTE_LEVEL, "{}", "{}"), "tokenizer.chat_template"))
                .isEqualTo("from json");
        Files.writeString(folder.resolve("chat_template.jinja"), "from jinja");
        assertThat(value(read(6, BYTE_LEVEL, "{}", "{}"), "tokenizer.chat_template"))
                .isEqualTo("from jinja");
        assertThat(value(read(6, BYTE_LEVEL, "{\"chat_template\": \"inline\"}", "{}"), "tokenizer.chat_template"))
                .isEqualTo("inline");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '"',
            value = {
                "llama-bpe; true; (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
                "dbrx; false; (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
                "qwen2; false; (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
                "qwen35; false; (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
                "tekken; true; [^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
                "gpt-4o; false; [^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
            })
    void recognisesPreTokenizersByTheirPattern(String name, boolean ignoreMerges, String pattern) {
        ObjectNode tokenizer = JSON.createObjectNode();
        tokenizer.putObject("model").put("ignore_merges", ignoreMerges);
        ObjectNode sequence = tokenizer.putObject("pre_tokenizer").put("type", "Sequence");
        var steps = sequence.putArray("pretokenizers");
        steps.addObject().put("type", "Split").putObject("pattern").put("Regex", pattern);
        steps.addObject().put("type", "ByteLevel").put("use_regex", false);

        assertThat(PreTokenizer.name(tokenizer, Path.of("tokenizer.json"))).isEqualTo(name);
    }

    @Test
    void refusesPreTokenizersThatItDoesNotKnow() throws IOException {
        JsonNode digits = JSON.readTree("""
                {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                  {"type": "Digits", "individual_digits": true}, {"type": "ByteLevel"}]}}""");
        assertThat(PreTokenizer.name(digits, Path.of("tokenizer.json"))).isEqualTo("smollm");
        JsonNode unknown = JSON.readTree("""
                {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                  {"type": "Split", "pattern": {"Regex": "\\\\d+"}}, {"type": "Split", "pattern": {"String": "-"}}]}}""");
        assertThatThrownBy(() -> PreTokenizer.name(unknown, Path.of("m/tokenizer.json")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("m/tokenizer.json")
                .hasMessageContaining("'\\d+ then the string -'")
                .hasMessageContaining("--pre");
        Files.writeString(
                folder.resolve("tokenizer.json"), BYTE_LEVEL.replace("\"use_regex\": true", "\"use_regex\": false"));
        assertThat(value(
                        Vocabulary.read(folder, JSON.createObjectNode(), 6, Optional.of("falcon"))
                                .entries(),
                        "tokenizer.ggml.pre"))
                .isEqualTo("falcon");
    }

    /** As Gemma 3 has one for images, also where there is no part that sees. */
    @Test
    void addedTokensThatTheModelHasNoRowForAreLeftOut() throws IOException {
        Vocabulary.Metadata one = metadata(5, BYTE_LEVEL, "", "{\"bos_token_id\": 5}");
        assertThat(list(one.entries(), "tokens")).isEqualTo(List.of("a", "b", "a\u0120b", "<|im_end|>", "  tool"));
        assertThat(one.entries()).doesNotContainKey("tokenizer.ggml.bos_token_id");
        assertThat(one.warnings())
                .containsExactly(folder.resolve("tokenizer.json")
                        + " adds the token '<s>', which the model has no row for; it is left out");

        assertThat(metadata(3, BYTE_LEVEL, "", "{}").warnings())
                .containsExactly(
                        folder.resolve("tokenizer.json")
                                + " adds 3 tokens, '<|im_end|>' among them, which the model has no rows for; they are left out");
        assertThat(metadata(6, BYTE_LEVEL, "", "{}").warnings()).isEmpty();

        Files.write(folder.resolve("tokenizer.model"), sentencePieceModel());
        Files.writeString(folder.resolve("added_tokens.json"), "{\"extra\": 8}");
        Vocabulary.Metadata pieces = metadata(
                8, "", "{\"added_tokens_decoder\": {\"9\": {\"content\": \"<image>\", \"special\": true}}}", "{}");
        assertThat(list(pieces.entries(), "tokens").toString())
                .contains("[PAD7]")
                .doesNotContain("extra", "image");
        assertThat(pieces.warnings())
                .containsExactly(folder.resolve("tokenizer.model")
                        + " adds 2 tokens, 'extra' among them, which the model has no rows for; they are left out");
    }

    @Test
    void refusesTokenizersThatLlamaCppWouldNotLoad() throws IOException {
        refused(6, "", "neither tokenizer.json nor tokenizer.model");
        refused(6, "[]", "holds no JSON object");
        refused(6, "{", "is not valid JSON (line 1");
        refused(6, "{\"model\": {\"type\": \"Unigram\", \"vocab\": []}}", "of type Unigram");
        refused(2, BYTE_LEVEL, "'a\u0120b' with the id 2, but the model has 2 tokens");
        refused(6, BYTE_LEVEL.replace("\"<s>\"", "\"b\""), "the token 'b' twice, with the ids 1 and 5");
        refused(6, BYTE_LEVEL.replace("[[\"a\", \" b\"]]", "[]"), "has no merges");
        refused(6, BYTE_LEVEL.replace("[[\"a\", \" b\"]]", "[[\"a\"]]"), "a merge of 1 parts");
        refused(6, BYTE_LEVEL.replace("\"id\": 3, ", ""), "an added token without id");
    }

    private void refused(int size, String tokenizer, String message) {
        assertThatThrownBy(() -> read(size, tokenizer, "", "{}"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(message);
    }
}
