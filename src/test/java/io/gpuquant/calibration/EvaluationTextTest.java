package io.gpuquant.calibration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.InputException;
import io.gpuquant.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.OptionalLong;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EvaluationTextTest {

    private static final TextFile DEMO = new TextFile(Path.of("datasets/validation.jsonl"));

    private static TextTokenizer tokenizer;

    @TempDir
    Path folder;

    @BeforeAll
    static void open() {
        tokenizer = TextTokenizer.open(Path.of("datasets/demo-llama"), 1024);
    }

    @AfterAll
    static void close() {
        tokenizer.close();
    }

    /** Digests from a program of a few lines in Python with the package tokenizers 0.23.3; 108,536 tokens in all. */
    @ParameterizedTest
    @CsvSource({
        "256, 423, 446ad82f1c85498dad8816e48d9b3c2e37d42dc80393acc74bd72b2e4589b602",
        "2048, 52, 028d825d7e6a3b0fa16890c0c4608e80e95180904d13ace52f08ee993eab77af",
    })
    void cutsConsecutiveSequencesAndLeavesOutTheTail(int length, int count, String sha256) {
        EvaluationText text = EvaluationText.read(DEMO, tokenizer, length, OptionalLong.empty());

        assertThat(text.file()).isEqualTo(DEMO);
        assertThat(text.documents()).isEqualTo(400);
        assertThat(text.sequences().count()).isEqualTo(count);
        assertThat(text.sequences().sha256()).isEqualTo(sha256);
    }

    @ParameterizedTest
    @CsvSource({
        "256, 5000, 19, b5126c0e0c2568f3b24845e06f66e679acc79c35cb116c9c2fcd653e935c8566",
        "2048, 5000, 2, 0b0d6207cc5ee0db006b201c8ef83284b7b240431b091df4c850cca958296e51",
        "256, 108536, 423, 446ad82f1c85498dad8816e48d9b3c2e37d42dc80393acc74bd72b2e4589b602",
    })
    void usesNoMoreTokensThanTheLimit(int length, long limit, int count, String sha256) {
        EvaluationText text = EvaluationText.read(DEMO, tokenizer, length, OptionalLong.of(limit));

        assertThat(text.sequences().count()).isEqualTo(count);
        assertThat(text.sequences().sha256()).isEqualTo(sha256);
    }

    @Test
    void stopsReadingAtTheLimit() throws IOException {
        // One document larger than a batch, then a line that could not be read.
        String document = String.join(" ", Collections.nCopies(150_000, "one two"));
        Path path = Files.writeString(folder.resolve("a.jsonl"), "{\"text\": \"" + document + "\"}\nnonsense\n");

        EvaluationText text = EvaluationText.read(new TextFile(path), tokenizer, 100, OptionalLong.of(1000));

        assertThat(text.documents()).isEqualTo(1);
        assertThat(text.sequences().count()).isEqualTo(10);
        assertThatThrownBy(() -> EvaluationText.read(new TextFile(path), tokenizer, 100, OptionalLong.empty()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("line 2");
    }

    @Test
    void takesAWholeTextFileForOneDocument() throws IOException {
        Path path = Files.writeString(folder.resolve("a.txt"), "1\n2\n3");

        EvaluationText text = EvaluationText.read(new TextFile(path), tokenizer, 6, OptionalLong.empty());

        assertThat(text.sequences().sequence(0)).containsExactly(0, 51, 12, 52, 12, 53);
    }

    @Test
    void saysHowManyTokensATextTooShortHas() throws IOException {
        Path path = Files.writeString(folder.resolve("a.txt"), "1\n2\n3");

        assertThatThrownBy(() -> EvaluationText.read(new TextFile(path), tokenizer, 7, OptionalLong.empty()))
                .isInstanceOf(InputException.class)
                .hasMessage(path + " has 6 tokens, fewer than one sequence of 7; lower --sequence-length or give more"
                        + " text");
    }

    @Test
    void refusesALimitBelowOneSequence() {
        assertThatThrownBy(() -> EvaluationText.read(DEMO, tokenizer, 256, OptionalLong.of(255)))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("--tokens 255 is less than one sequence of 256 tokens");
        assertThatThrownBy(() -> EvaluationText.read(DEMO, tokenizer, 0, OptionalLong.empty()))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
