package io.gpuquant.calibration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TextTokenizerTest {

    private static final Path DEMO = Path.of("datasets/demo-llama");
    private static final int VOCABULARY = 1024;

    @TempDir
    Path folder;

    /** Ids from the Python package tokenizers 0.23.3. */
    @Test
    void hasTheIdsOfThePythonTokenizer() {
        try (TextTokenizer tokenizer = TextTokenizer.open(DEMO, VOCABULARY)) {
            assertThat(tokenizer.encode("The potter of Stoneworth is called Belelin."))
                    .containsExactly(0, 871, 294, 819, 479, 300, 958, 307, 700, 674, 816, 48);
            assertThat(tokenizer.encode("  two  spaces\nand a line\r\n"))
                    .containsExactly(0, 34, 919, 34, 542, 99, 101, 289, 12, 753, 260, 338, 576, 15, 12);
            assertThat(tokenizer.encode("naïve café 😀"))
                    .containsExactly(0, 501, 197, 177, 120, 103, 271, 99, 104, 197, 171, 34, 242, 161, 154, 130);
            assertThat(tokenizer.encode("1234567890")).containsExactly(0, 51, 52, 53, 54, 55, 56, 57, 58, 59, 50);
        }
    }

    @Test
    void keepsSpecialTokensAndNullCharactersInTheText() {
        try (TextTokenizer tokenizer = TextTokenizer.open(DEMO, VOCABULARY)) {
            assertThat(tokenizer.encode("a<|end_of_text|>b")).containsExactly(0, 99, 1, 100);
            assertThat(tokenizer.encode("a\0b")).containsExactly(0, 99, 2, 100);
            assertThat(tokenizer.encode("")).containsExactly(0);
        }
    }

    @Test
    void neitherTruncatesNorPads() throws IOException {
        ObjectNode json = demoTokenizer();
        json.set("truncation", new ObjectMapper().readTree("""
                {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}"""));
        json.set("padding", new ObjectMapper().readTree("""
                {"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 1,
                 "pad_type_id": 0, "pad_token": "<|end_of_text|>"}"""));
        write(json.toString());

        try (TextTokenizer tokenizer = TextTokenizer.open(folder, VOCABULARY)) {
            assertThat(tokenizer.encode("a")).containsExactly(0, 99);
            int[] many = tokenizer.encode("1".repeat(100_000));
            assertThat(many).hasSize(100_001).startsWith(0, 51).endsWith(51, 51).doesNotContain(1);
        }
    }

    @Test
    void encodesManyTextsAsOneByOne() {
        List<String> texts = IntStream.range(0, 500)
                .mapToObj(i -> "The number " + i + " has " + i * 7)
                .toList();

        try (TextTokenizer tokenizer = TextTokenizer.open(DEMO, VOCABULARY)) {
            List<int[]> together = tokenizer.encodeAll(documents(texts));

            assertThat(together).hasSameSizeAs(texts);
            for (int i = 0; i < texts.size(); i++) {
                assertThat(together.get(i)).containsExactly(tokenizer.encode(texts.get(i)));
            }
        }
    }

    @Test
    void namesATokenThatTheModelDoesNotHave() {
        try (TextTokenizer tokenizer = TextTokenizer.open(DEMO, 900)) {
            assertThat(tokenizer.encode("The potter of")).containsExactly(0, 871, 294, 819, 479, 300);
            assertThatThrownBy(() -> tokenizer.encode("The potter of Stoneworth"))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining(DEMO.resolve("tokenizer.json").toString())
                    .hasMessageContaining("gives the token 958 (\"ĠStoneworth\")")
                    .hasMessageContaining("but the model has 900 tokens (vocab_size in config.json)");
        }
    }

    @Test
    void isNotFreedWhileTextsAreEncoded() {
        // A text with a fault at the front ends the call early; the tokenizer is closed at once.
        String faulty = "The potter of Stoneworth";
        String longText = "The potter of ".repeat(2000);
        List<String> texts = IntStream.range(0, 64)
                .mapToObj(i -> i % 8 == 0 ? faulty : longText)
                .toList();

        for (int attempt = 0; attempt < 20; attempt++) {
            try (TextTokenizer tokenizer = TextTokenizer.open(DEMO, 900)) {
                assertThatThrownBy(() -> tokenizer.encodeAll(documents(texts)))
                        .isInstanceOf(InputException.class)
                        .hasMessageContaining("gives the token 958");
            }
        }
    }

    @Test
    void closesOnlyWhenNoThreadEncodes() throws InterruptedException {
        for (int attempt = 0; attempt < 20; attempt++) {
            TextTokenizer tokenizer = TextTokenizer.open(DEMO, VOCABULARY);
            Thread encoder = Thread.ofPlatform().start(() -> {
                try {
                    while (tokenizer.encode("The potter of ".repeat(500)).length > 0) {
                        Thread.onSpinWait();
                    }
                } catch (IllegalStateException closed) {
                    // What the other thread waits for.
                }
            });
            Thread.sleep(2);
            tokenizer.close();
            encoder.join();
        }
    }

    @Test
    void refusesATemplateWithASpecialTokenThatIsNotDefined() throws IOException {
        ObjectNode json = demoTokenizer();
        ((ObjectNode) json.path("post_processor").path("special_tokens")).removeAll();
        writeAndRefuse(
                json.toString(),
                "tokenizer.json is damaged (its template \"single\" has the special token \"<|begin_of_text|>\"");

        ObjectNode sequence = demoTokenizer();
        ObjectNode wrapper = new ObjectMapper().createObjectNode().put("type", "Sequence");
        wrapper.putArray("processors").add(json.path("post_processor"));
        sequence.set("post_processor", wrapper);
        writeAndRefuse(sequence.toString(), "which its special_tokens lack");
    }

    @Test
    void refusesHalfASurrogatePair() {
        try (TextTokenizer tokenizer = TextTokenizer.open(DEMO, VOCABULARY)) {
            assertThatThrownBy(() -> tokenizer.encode("a\ud83db")).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void doesNotEncodeAfterItIsClosed() {
        TextTokenizer tokenizer = TextTokenizer.open(DEMO, VOCABULARY);
        tokenizer.close();
        tokenizer.close();

        assertThatThrownBy(() -> tokenizer.encode("a")).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void saysHowToMakeAMissingTokenizer() throws IOException {
        refuses("has no tokenizer.json; make one with python");
        Files.writeString(folder.resolve("tokenizer.model"), "x");
        refuses("has tokenizer.model but no tokenizer.json, and the former alone is not enough; make one with python");
        assertThatThrownBy(() -> TextTokenizer.open(folder.resolve("nowhere"), VOCABULARY))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("nowhere is no folder");
    }

    @Test
    void refusesDamagedTokenizers() throws IOException {
        String json = demoTokenizer().toString();

        writeAndRefuse(json.substring(0, json.length() / 2), "tokenizer.json is damaged (line 1, column");
        writeAndRefuse("", "tokenizer.json is damaged (");
        writeAndRefuse("[]", "tokenizer.json is damaged (");
        writeAndRefuse("null", "tokenizer.json is damaged (it has no \"model\")");
        writeAndRefuse("{}", "tokenizer.json is damaged (it has no \"model\")");
        writeAndRefuse("{\"model\": \"BPE\"}", "tokenizer.json is damaged (line 1, column");
        writeAndRefuse(
                "{\"version\": \"1.0\", \"model\": {\"type\": \"BPE\"}}",
                "tokenizer.json is damaged (",
                "use the tokenizer.json that came with the checkpoint");
    }

    @Test
    void refusesATokenizerWhoseMergesAreNotInItsVocabulary() throws IOException {
        ObjectNode json = demoTokenizer();
        ((ObjectNode) json.path("model").path("vocab")).remove("he");

        writeAndRefuse(json.toString(), "tokenizer.json is damaged (");
    }

    @Test
    void refusesARandomTokenizer() throws IOException {
        ObjectNode json = demoTokenizer();
        ((ObjectNode) json.path("model")).put("dropout", 0.1);

        writeAndRefuse(json.toString(), "has a dropout of 0.1, which makes its tokens random");
    }

    @Test
    void explainsATextThatTheTokenizerCannotEncode() throws IOException {
        write("""
                {"version": "1.0", "pre_tokenizer": {"type": "Whitespace"},
                 "model": {"type": "WordLevel", "vocab": {"known": 0}, "unk_token": "<unk>"}}""");

        try (TextTokenizer tokenizer = TextTokenizer.open(folder, VOCABULARY)) {
            assertThat(tokenizer.encode("known known")).containsExactly(0, 0);
            assertThatThrownBy(() -> tokenizer.encode("unknown"))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("tokenizer.json cannot encode the text (");
        }
    }

    @Test
    void refusesATokenizerThatCannotBeRead() throws IOException {
        // The only file that fails to be read whoever reads it: its first page is never mapped.
        Path unreadable = Path.of("/proc/self/mem");
        assumeTrue(Files.exists(unreadable));
        Path link = Files.createSymbolicLink(folder.resolve("tokenizer.json"), unreadable);

        refuses("tokenizer.json cannot be read");
        Files.delete(link);
    }

    private void writeAndRefuse(String json, String... messages) throws IOException {
        write(json);
        refuses(messages);
    }

    private void refuses(String... messages) {
        assertThatThrownBy(() -> TextTokenizer.open(folder, VOCABULARY))
                .isInstanceOf(InputException.class)
                .satisfies(thrown -> assertThat(thrown.getMessage())
                        .startsWith(folder.toString())
                        .contains(messages));
    }

    private void write(String json) throws IOException {
        Files.writeString(folder.resolve("tokenizer.json"), json);
    }

    private static ObjectNode demoTokenizer() throws IOException {
        return (ObjectNode) new ObjectMapper().readTree(Files.readString(DEMO.resolve("tokenizer.json")));
    }

    private static List<Document> documents(List<String> texts) {
        return texts.stream().<Document>map(Document.Text::new).toList();
    }
}
