package io.gpuquant.calibration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gpuquant.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Small tokenizers of each kind, trained with the Python package tokenizers 0.23.3, whose ids are expected: byte-level BPE, BPE
 * in the manner of SentencePiece with bytes for what is not in the vocabulary, and Unigram.
 */
class TokenizerKindsTest {

    private static final Path RESOURCES = Path.of("src/test/resources/io/gpuquant/calibration");
    private static final Path KINDS = RESOURCES.resolve("tokenizers");
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"bpe-bytes", "bpe-fallback", "unigram"})
    void hasTheIdsOfThePythonTokenizer(String kind) throws IOException {
        JsonNode lines = JSON.readTree(RESOURCES.resolve("unicode.json").toFile());
        JsonNode expected =
                JSON.readTree(KINDS.resolve(kind).resolve("expected.json").toFile());

        try (TextTokenizer tokenizer = TextTokenizer.open(KINDS.resolve(kind), 1000)) {
            for (int i = 0; i < lines.size(); i++) {
                assertThat(tokenizer.encode(lines.path(i).textValue()))
                        .as("line %d", i)
                        .isEqualTo(JSON.convertValue(expected.path(i), int[].class));
            }
        }
    }

    /** In the files of this kind, 1 begins a text, 2 ends it, and the post-processor adds the former only. */
    @Test
    void obeysTheConfigurationAboutBothEnds() throws IOException {
        int[] plain = tail(ids("bpe-fallback", "{}"), 1);

        assertThat(ids("bpe-fallback", "{}")).startsWith(1);
        assertThat(ids("bpe-fallback", config("true", "false"))).isEqualTo(around(1, plain));
        assertThat(ids("bpe-fallback", config("false", "false"))).isEqualTo(plain);
        assertThat(ids("bpe-fallback", config("null", "false"))).isEqualTo(around(1, plain));
        assertThat(ids("bpe-fallback", config("false", "true")))
                .startsWith(plain)
                .endsWith(2)
                .hasSize(plain.length + 1);
        assertThat(ids("bpe-fallback", config("true", "true")))
                .startsWith(1)
                .endsWith(2)
                .hasSize(plain.length + 2);
        assertThat(ids("bpe-fallback", "{\"add_bos_token\": true}")).isEqualTo(around(1, plain));
    }

    /** 0 and 2 are special tokens here; the post-processor adds nothing. */
    @Test
    void addsWhatThePostProcessorDoesNot() throws IOException {
        int[] plain = ids("bpe-bytes", "{}");

        assertThat(ids("bpe-bytes", "{\"add_bos_token\": true, \"bos_token\": \"<|endoftext|>\"}"))
                .isEqualTo(around(0, plain));
        assertThat(ids("bpe-bytes", "{\"add_bos_token\": true, \"bos_token\": null}"))
                .isEqualTo(plain);
        assertThat(ids("bpe-bytes", "{\"add_bos_token\": false, \"bos_token\": \"<|endoftext|>\"}"))
                .isEqualTo(plain);
        assertThat(ids("bpe-bytes", "{\"add_eos_token\": true, \"eos_token\": {\"content\": \"<|im_end|>\"}}"))
                .startsWith(plain)
                .endsWith(2);
        assertThatThrownBy(() -> ids("bpe-bytes", "{\"add_bos_token\": true, \"bos_token\": \"no such\"}"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("has \"no such\" as bos_token, which is no token of tokenizer.json");
    }

    @Test
    void readsTokensFromTheMapWhereTheConfigurationHasNone() throws IOException {
        install("bpe-bytes", "{\"add_bos_token\": true}");
        Files.writeString(
                folder.resolve("special_tokens_map.json"), "{\"bos_token\": {\"content\": \"<|im_start|>\"}}");

        try (TextTokenizer tokenizer = TextTokenizer.open(folder, 1000)) {
            assertThat(tokenizer.encode("a")).startsWith(1);
        }
    }

    @Test
    void refusesADamagedConfiguration() {
        assertThatThrownBy(() -> ids("bpe-bytes", "{\"add_bos_token\": tru"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("tokenizer_config.json is damaged (line 1, column");
    }

    @Test
    void conversationsGetTheTokensOfTheTemplateAndNoOthers() throws IOException {
        String template =
                "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}";
        Path config = install(
                "bpe-fallback",
                "{\"add_bos_token\": true, \"bos_token\": \"<s>\", \"eos_token\": \"</s>\", \"chat_template\": "
                        + JSON.writeValueAsString(template) + "}");
        Document chat = chat("Hi");

        int[] ids = encode(chat);
        assertThat(ids).startsWith(1).endsWith(2).containsOnlyOnce(1);
        int[] text;
        try (TextTokenizer tokenizer = TextTokenizer.open(folder, 1000)) {
            text = tokenizer.encode("[user]Hi</s>");
        }
        assertThat(ids).isEqualTo(text);

        // A file of its own wins, and so does the template that is called default.
        Files.writeString(
                config,
                "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"t\"}, {\"name\": \"default\", \"template\": \"d\"}]}");
        assertThat(encode(chat)).isEqualTo(encodePlain("d"));
        Files.writeString(folder.resolve("chat_template.json"), "{\"chat_template\": \"j\"}");
        assertThat(encode(chat)).isEqualTo(encodePlain("j"));
        Files.writeString(folder.resolve("chat_template.jinja"), "x{{ messages[0].content }}\n");
        assertThat(encode(chat)).isEqualTo(encodePlain("xHi"));
    }

    @Test
    void saysWhatIsWrongWithATemplate() throws IOException {
        install("bpe-bytes", "{}");
        refusesChat(
                "FILE row 7 is a conversation, but", "has no chat template; put one into it as chat_template.jinja");
        Files.writeString(folder.resolve("chat_template.jinja"), "a\n{% if %}");
        refusesChat("chat_template.jinja cannot be read (line 2: ");
        Files.writeString(folder.resolve("chat_template.jinja"), "{{ raise_exception('no such role') }}");
        refusesChat("FILE row 7 does not fit the chat template in", "(no such role)");
    }

    private void refusesChat(String... parts) {
        assertThatThrownBy(() -> encode(chat("Hi")))
                .isInstanceOf(InputException.class)
                .message()
                .contains(parts);
    }

    private static Document chat(String content) {
        return new Document.Chat(List.of(Map.of("role", "user", "content", content)), null, "FILE row 7");
    }

    private int[] encode(Document document) {
        try (TextTokenizer tokenizer = TextTokenizer.open(folder, 1000)) {
            return tokenizer.encodeAll(List.of(document)).getFirst();
        }
    }

    /** The ids of a text without any that are added. */
    private int[] encodePlain(String text) {
        try (TextTokenizer tokenizer = TextTokenizer.open(KINDS.resolve("bpe-fallback"), 1000)) {
            return tail(tokenizer.encode(text), 1);
        }
    }

    private int[] ids(String kind, String config) throws IOException {
        install(kind, config);
        try (TextTokenizer tokenizer = TextTokenizer.open(folder, 1000)) {
            return tokenizer.encode("The potter of Stoneworth");
        }
    }

    private Path install(String kind, String config) throws IOException {
        Files.write(
                folder.resolve("tokenizer.json"),
                Files.readAllBytes(KINDS.resolve(kind).resolve("tokenizer.json")));
        return Files.writeString(folder.resolve("tokenizer_config.json"), config);
    }

    private static String config(String bos, String eos) {
        return "{\"add_bos_token\": " + bos + ", \"add_eos_token\": " + eos
                + ", \"bos_token\": {\"content\": \"<s>\"}, \"eos_token\": \"</s>\"}";
    }

    private static int[] around(int first, int[] ids) {
        int[] all = new int[ids.length + 1];
        all[0] = first;
        System.arraycopy(ids, 0, all, 1, ids.length);
        return all;
    }

    private static int[] tail(int[] ids, int from) {
        return Arrays.copyOfRange(ids, from, ids.length);
    }
}
