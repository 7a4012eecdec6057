package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import io.gpuquant.job.TinyModel;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CompareCommandTest {

    @TempDir
    Path folder;

    private Path model = Path.of("");
    private Path text = Path.of("");
    private Path fine = Path.of("");
    private Path coarse = Path.of("");

    @BeforeEach
    void write() {
        model = new TinyModel().write(folder.resolve("model"));
        text = TinyModel.writeText(folder.resolve("text.jsonl"));
        fine = quantized("fine", "8");
        coarse = quantized("coarse", "2");
    }

    private Path quantized(String name, String bits) {
        Path made = folder.resolve(name);
        CommandRun.of("rtn", model, "--bits", bits, "--group-size", "32", "--out", made)
                .requireDone();
        return made;
    }

    @Test
    void oneTableHasAllCheckpoints() {
        CommandRun run = CommandRun.of("compare", model, fine, coarse, "--text", text, "--tokens", "320")
                .requireDone();

        assertThat(run.out())
                .contains("checkpoint", "bits/weight", "perplexity", "KL divergence", "top-1 agreement")
                .containsPattern("model +F16 .* 16\\.00 +[\\d.]+ +0\\.000000 +100\\.00 %")
                .contains("GPTQ 8-bit g32", "GPTQ 2-bit g32")
                .containsPattern("relative output error +fine +coarse\nlayer 0 +[\\d.e-]+ +[\\d.e-]+\nlayer 1 ")
                .contains("10 sequences of 32 tokens of " + text + ", 310 predictions");
    }

    @Test
    void jsonTellsFineFromCoarseAndAgreesWithPpl() {
        JsonNode json = CommandRun.of("compare", model, fine, coarse, "--text", text, "--tokens", "320", "--json")
                .requireDone()
                .json();
        JsonNode ppl = CommandRun.of("ppl", coarse, "--text", text, "--tokens", "320", "--json")
                .requireDone()
                .json();

        JsonNode checkpoints = json.path("checkpoints");
        assertThat(checkpoints.size()).isEqualTo(3);
        assertThat(checkpoints.get(0).path("kl_divergence").asDouble()).isZero();
        assertThat(checkpoints.get(1).path("kl_divergence").asDouble())
                .isPositive()
                .isLessThan(checkpoints.get(2).path("kl_divergence").asDouble() / 10);
        assertThat(checkpoints.get(1).path("layer_output_error").get(1).asDouble())
                .isLessThan(checkpoints.get(2).path("layer_output_error").get(1).asDouble() / 10);
        assertThat(checkpoints.get(2).path("bytes").asLong())
                .isLessThan(checkpoints.get(1).path("bytes").asLong());
        assertThat(checkpoints.get(2).path("perplexity").asDouble())
                .isCloseTo(ppl.path("perplexity").asDouble(), within(0.0));
    }

    @Test
    void refusesAnotherModel() {
        Path other = TinyModel.narrow().layers(1).write(folder.resolve("other"));

        CommandRun.of("compare", model, other, "--text", text)
                .requireRefused(3, other.toString(), "compare checkpoints of the same model");
    }

    @Test
    void needsSomethingToCompare() {
        CommandRun.of("compare", model, "--text", text).requireRefused(2, "QUANTIZED");
    }
}
