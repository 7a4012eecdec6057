package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import io.gpuquant.job.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CompareCommandTest {

    /** The checkpoints that are compared, which no test changes, and a text. */
    @TempDir
    static Path shared;

    private static Path model = Path.of("");
    private static Path text = Path.of("");
    private static Path fine = Path.of("");
    private static Path coarse = Path.of("");

    @TempDir
    Path folder;

    @BeforeAll
    static void write() {
        model = new TinyModel().write(shared.resolve("model"));
        text = TinyModel.writeText(shared.resolve("text.jsonl"));
        fine = quantized("fine", "8");
        coarse = quantized("coarse", "2");
    }

    private static Path quantized(String name, String bits) {
        Path made = shared.resolve(name);
        CommandRun.of("rtn", model, "--bits", bits, "--group-size", "32", "--out", made)
                .requireDone();
        return made;
    }

    @Test
    void oneTableHasAllCheckpoints() {
        CommandRun run = CommandRun.of("compare", model, fine, coarse, "--text", text, "--tokens", "128")
                .requireDone();

        assertThat(run.out())
                .contains("checkpoint", "bits/weight", "perplexity", "KL divergence", "top-1 agreement")
                .containsPattern("model +F16 .* 16\\.00 +[\\d.]+ +0\\.000000 +100\\.00 %")
                .contains("GPTQ 8-bit g32", "GPTQ 2-bit g32")
                .containsPattern("relative output error +fine +coarse\nlayer 0 +[\\d.e-]+ +[\\d.e-]+\nlayer 1 ")
                .contains("4 sequences of 32 tokens of " + text + ", 124 predictions");
    }

    @Test
    void jsonTellsFineFromCoarseAndAgreesWithPpl() {
        JsonNode json = CommandRun.of("compare", model, fine, coarse, "--text", text, "--tokens", "128", "--json")
                .requireDone()
                .json();
        JsonNode ppl = CommandRun.of("ppl", coarse, "--text", text, "--tokens", "128", "--json")
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
    void linearsAreComparedOneByOne() {
        CommandRun text = compare("--linears").requireDone();
        assertThat(text.out())
                .containsPattern("error of linears, mean \\(most\\) +fine +coarse\n")
                .containsPattern("\nself_attn\\.q_proj +[\\d.e-]+ \\([\\d.e-]+\\) +[\\d.e-]+ \\([\\d.e-]+\\)\n");

        JsonNode checkpoints =
                compare("--linears", "--json").requireDone().json().path("checkpoints");
        JsonNode ofFine = checkpoints.get(1).path("linears");
        JsonNode ofCoarse = checkpoints.get(2).path("linears");
        assertThat(ofFine.size()).isEqualTo(14);
        for (int i = 0; i < ofFine.size(); i++) {
            assertThat(checkpoints
                            .get(0)
                            .path("linears")
                            .get(i)
                            .path("relative_output_error")
                            .asDouble())
                    .isZero();
            assertThat(ofFine.get(i).path("name").asText())
                    .startsWith("model.layers." + ofFine.get(i).path("layer").asInt() + ".");
            assertThat(ofFine.get(i).path("relative_output_error").asDouble())
                    .isPositive()
                    .isLessThan(ofCoarse.get(i).path("relative_output_error").asDouble() / 100);
        }
        assertThat(checkpoints.get(0).has("scale_magnitudes")).isFalse();
        long scales = 0;
        for (JsonNode count : checkpoints.get(1).path("scale_magnitudes").path("counts")) {
            scales += count.asLong();
        }
        // Six linears of 128 inputs in groups of 32, and the output widths of a layer, in two layers.
        assertThat(scales).isEqualTo(2L * 4 * (128 + 64 + 64 + 128 + 128 + 128 + 128));
    }

    /** What a browser loads or runs is all in the file, and names are text in it. */
    @Test
    void pageNeedsNothingElse() throws IOException {
        Path hostile = Files.createSymbolicLink(folder.resolve("<img src=x onerror=alert(1)>&\"'"), coarse);
        Path page = folder.resolve("page.html");

        CommandRun.of("compare", model, fine, hostile, "--text", text, "--tokens", "128", "--html", page)
                .requireDone();

        String html = Files.readString(page);
        assertThat(html)
                .startsWith("<!DOCTYPE html>")
                .contains("prefers-color-scheme:dark", "name=\"viewport\"", "4 sequences of 32 tokens")
                .contains("&lt;img src=x onerror=alert(1)&gt;&amp;&quot;&#39;")
                .contains("Size", "KL divergence", "Perplexity lost", "Error after each layer")
                .contains("Weights and their errors", "Scales", "Error by layer and linear")
                .contains("<title>model.layers.1.mlp.down_proj: ")
                .contains("fine, after layer 1: ")
                .doesNotContain("<img", "<script", "http", "url(", "@import", "NaN", "Infinity", "null");
        assertThat(html.split("<title>model\\.layers", -1)).hasSize(1 + 2 * 14);
        assertThat(folder).isDirectoryNotContaining("glob:**.partial");

        byte[] first = Files.readAllBytes(page);
        CommandRun.of("compare", model, fine, hostile, "--text", text, "--tokens", "128", "--html", page)
                .requireDone();
        assertThat(Files.readAllBytes(page)).isEqualTo(first);
    }

    @Test
    void pageOfEqualCheckpointsHasNoPlotsOfErrors() throws IOException {
        Path page = folder.resolve("page.html");

        CommandRun.of("compare", model, model, "--text", text, "--tokens", "128", "--html", page)
                .requireDone();

        assertThat(Files.readString(page))
                .contains("Size", "+0.00000", "Weights and their errors")
                .doesNotContain("Error after each layer", "Error by layer and linear", "Scales", "NaN");
    }

    @Test
    void pageThatCannotBeWrittenIsRefusedFirst() {
        CommandRun.of("compare", model, fine, "--text", text, "--html", folder)
                .requireRefused(2, "--html " + folder + " is a folder");
    }

    private CommandRun compare(Object... more) {
        List<Object> arguments =
                new ArrayList<>(List.of("compare", model, fine, coarse, "--text", text, "--tokens", "128"));
        arguments.addAll(List.of(more));
        return CommandRun.of(arguments.toArray());
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
