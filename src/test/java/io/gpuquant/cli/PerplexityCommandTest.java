package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gpuquant.job.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PerplexityCommandTest {

    @TempDir
    Path folder;

    private Path model = Path.of("");
    private Path text = Path.of("");

    @BeforeEach
    void write() {
        model = TinyModel.narrow().layers(1).write(folder.resolve("model"));
        text = TinyModel.writeText(folder.resolve("text.jsonl"));
    }

    @Test
    void theLastLineIsThePerplexity() {
        CommandRun run =
                CommandRun.of("ppl", model, "--text", text, "--tokens", "100").requireDone();

        assertThat(run.out()).containsPattern("3 sequences of 32 tokens, 93 scored, cross-entropy [\\d.]+\n[\\d.]+\n$");
        double perplexity = Double.parseDouble(run.out().lines().reduce("", (before, after) -> after));
        // A model of random weights is no better than chance among 1024 tokens, and not confident either.
        assertThat(perplexity).isBetween(300.0, 4000.0);
    }

    @Test
    void jsonAndLogProbabilitiesAgree() throws IOException {
        Path file = folder.resolve("scores.jsonl");

        JsonNode json = CommandRun.of(
                        "ppl",
                        model,
                        "--text",
                        text,
                        "--text-field",
                        "title",
                        "--sequence-length",
                        "16",
                        "--logprobs",
                        file,
                        "--json")
                .requireDone()
                .json();

        List<String> lines = Files.readAllLines(file);
        assertThat(json.path("sequence_length").asInt()).isEqualTo(16);
        assertThat(json.path("scored_tokens").asInt())
                .isEqualTo(lines.size())
                .isEqualTo(15 * json.path("sequences").asInt());
        double sum = 0;
        for (String line : lines) {
            sum -= new ObjectMapper().readTree(line).path("logprob").asDouble();
        }
        assertThat(sum / lines.size()).isCloseTo(json.path("cross_entropy").asDouble(), within(1e-6));
        assertThat(Math.exp(sum / lines.size()))
                .isCloseTo(json.path("perplexity").asDouble(), within(1e-2));
    }

    @Test
    void quantizedCheckpointsAreMeasuredToo() {
        Path made = folder.resolve("made");
        CommandRun.of("rtn", model, "--bits", "8", "--group-size", "32", "--out", made)
                .requireDone();

        double plain = perplexity(model);
        double quantized = perplexity(made);

        assertThat(quantized).isNotEqualTo(plain).isCloseTo(plain, within(plain * 0.02));
    }

    private double perplexity(Path folderOfModel) {
        return CommandRun.of("ppl", folderOfModel, "--text", text, "--tokens", "64", "--json")
                .requireDone()
                .json()
                .path("perplexity")
                .asDouble();
    }

    @Test
    void refusesWhatCannotBeMeasured() {
        CommandRun.of("ppl", model, "--text", text, "--sequence-length", "33")
                .requireRefused(2, "--sequence-length 33 does not fit this model; use 2 to 32");
        CommandRun.of("ppl", model, "--text", text, "--sequence-length", "1").requireRefused(2, "--sequence-length 1");
        CommandRun.of("ppl", model, "--text", text, "--tokens", "0").requireRefused(2, "--tokens 0");
        CommandRun.of("ppl", model, "--text", folder.resolve("none.txt")).requireRefused(3, "does not exist");
        CommandRun.of("ppl", model).requireRefused(2, "--text");
        CommandRun.of("ppl", folder.resolve("none"), "--text", text).requireRefused(3, "none");
        CommandRun.of("ppl", model, "--text", text, "--tokens", "64", "--logprobs", folder.resolve("no/such.jsonl"))
                .requireRefused(4, "--logprobs " + folder.resolve("no/such.jsonl") + " cannot be written");
    }
}
