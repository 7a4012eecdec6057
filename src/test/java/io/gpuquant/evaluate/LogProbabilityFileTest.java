package io.gpuquant.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gpuquant.ResourceException;
import io.gpuquant.calibration.TestSequences;
import io.gpuquant.calibration.TokenSequences;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LogProbabilityFileTest {

    private final TokenSequences sequences = TestSequences.of(new int[] {7, 8, 9}, new int[] {1023, 0, 5});
    private final TokenScores scores = new TokenScores(new float[][] {{-0.25f, -1e-10f}, {0, -123.456f}});

    @TempDir
    Path folder;

    @Test
    void hasALineForEveryTokenButTheFirstOfASequence() throws IOException {
        Path file = folder.resolve("scores.jsonl");
        LogProbabilityFile.write(file, sequences, scores);

        assertThat(file).hasContent("""
                {"sequence":0,"position":1,"token":8,"logprob":-0.25}
                {"sequence":0,"position":2,"token":9,"logprob":-1.0E-10}
                {"sequence":1,"position":1,"token":0,"logprob":0.0}
                {"sequence":1,"position":2,"token":5,"logprob":-123.456}
                """);
        assertThat(Files.readString(file)).endsWith("}\n");
    }

    @Test
    void isReadBackToTheBit() throws IOException {
        float[] values = {-0.1f, -Float.MIN_VALUE, -1.17549435E-38f, -16777216, -3.3333333f, -Float.MAX_VALUE};
        Path file = folder.resolve("scores.jsonl");
        LogProbabilityFile.write(
                file, TestSequences.of(new int[values.length + 1]), new TokenScores(new float[][] {values}));

        List<String> lines = Files.readAllLines(file);
        assertThat(lines).hasSize(values.length);
        for (int i = 0; i < values.length; i++) {
            JsonNode line = new ObjectMapper().readTree(lines.get(i));
            assertThat(line.fieldNames()).toIterable().containsExactly("sequence", "position", "token", "logprob");
            assertThat(Float.parseFloat(line.path("logprob").asText())).isEqualTo(values[i]);
        }
    }

    /** JSON has no infinity. */
    @Test
    void writesAProbabilityOfZeroAsTheSmallestLogarithm() throws IOException {
        Path file = folder.resolve("scores.jsonl");
        LogProbabilityFile.write(
                file, TestSequences.of(new int[] {1, 2}), new TokenScores(new float[][] {{Float.NEGATIVE_INFINITY}}));

        assertThat(file).content().contains("\"logprob\":-3.4028235E38}");
    }

    @Test
    void replacesAnOlderFile() throws IOException {
        Path file = Files.writeString(folder.resolve("scores.jsonl"), "old");
        LogProbabilityFile.write(file, sequences, scores);

        assertThat(file).content().doesNotContain("old");
        assertThat(folder.toFile().list()).containsExactly("scores.jsonl");
    }

    @Test
    void takesANameWithoutAFolder() throws IOException {
        Path file = Path.of("log-probabilities-of-a-test.jsonl");
        try {
            LogProbabilityFile.write(file, sequences, scores);

            assertThat(file).isNotEmptyFile();
        } finally {
            Files.deleteIfExists(file);
        }
    }

    @Test
    void namesAFileThatCannotBeWritten() {
        Path file = folder.resolve("nowhere").resolve("scores.jsonl");

        assertThatThrownBy(() -> LogProbabilityFile.write(file, sequences, scores))
                .isInstanceOf(ResourceException.class)
                .hasMessageStartingWith("--logprobs " + file + " cannot be written (")
                .hasMessageEndingWith("choose a file in a folder that exists, is writable and has space");
    }

    @Test
    void leavesNothingBehindWhereItCannotBeWritten() throws IOException {
        Path file = Files.createDirectory(folder.resolve("scores.jsonl"));
        Files.writeString(file.resolve("occupied"), "");

        assertThatThrownBy(() -> LogProbabilityFile.write(file, sequences, scores))
                .isInstanceOf(ResourceException.class);
        assertThat(folder.toFile().list()).containsExactly("scores.jsonl");
        assertThat(file.resolve("occupied")).exists();
    }
}
