package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.gguf.GgufFile;
import io.gpuquant.job.TinyModel;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code gpuquant gguf}, and the commands that read what it makes. */
class GgufCommandTest {

    @TempDir
    Path folder;

    private CommandRun run(Object... more) {
        Object[] arguments = new Object[more.length + 3];
        arguments[0] = "gguf";
        System.arraycopy(more, 0, arguments, 1, more.length);
        arguments[more.length + 1] = "--device";
        arguments[more.length + 2] = "host";
        return CommandRun.of(arguments);
    }

    private Path wide() {
        return new TinyModel()
                .layers(1)
                .config(config -> config.put("hidden_size", 256)
                        .put("intermediate_size", 256)
                        .put("num_attention_heads", 8))
                .write(folder.resolve("wide-model"));
    }

    @Test
    void needsNothingButTheModelAndAType() {
        Path model = wide();

        CommandRun run = run(model, "--type", "q4_k_m").requireDone();

        Path made = folder.resolve("wide-model-Q4_K_M.gguf");
        assertThat(made).isRegularFile();
        assertThat(run.out()).contains(made.toString(), "bits per weight", "12 tensors read back");
        assertThat(run.err()).contains("device: host", "12 of 12 tensors", "verifying");
        assertThat(folder).isDirectoryNotContaining("glob:**.partial");
        CommandRun.of("verify", made, "--source", model).requireDone();
        CommandRun inspected = CommandRun.of("inspect", made).requireDone();
        assertThat(inspected.out())
                .contains("mix Q4_K_M", "general.architecture", "'llama'", "1024 of STRING", "blk.*.attn_q.weight");
        run(model, "--type", "Q4_K_M").requireRefused(2, "exists already", "--overwrite");
        run(model, "--type", "Q4_K_M", "--overwrite").requireDone();
    }

    @Test
    void modelsInTheCacheOfTheHubAreCalledAsThere() throws IOException {
        Path snapshot = TinyModel.narrow()
                .layers(1)
                .write(Files.createDirectories(folder.resolve("models--org--some-model_7b/snapshots/0a1b2c")));

        CommandRun named = run(snapshot, "--type", "F16", "--out", folder).requireDone();

        Path made = folder.resolve("some-model_7b-F16.gguf");
        assertThat(named.out()).contains(made.toString());
        try (GgufFile file = GgufFile.open(made)) {
            assertThat(file.text("general.name")).contains("Some Model 7b");
        }
    }

    /** Kernels on the virtual GPU, and the processor's own code. */
    @Test
    void kernelsMakeTheSameBytes() throws IOException {
        Path model = wide();
        for (String name : List.of("host", "kernels")) {
            List<Object> command = new ArrayList<>(List.of(model, "--type", "Q4_K_M", "--out", folder.resolve(name)));
            for (String type : List.of("token_embd=Q4_0", "output.weight=Q5_1", "ffn_up=IQ4_XS", "ffn_gate=Q3_K")) {
                command.addAll(List.of("--tensor-type", type));
            }
            if (name.equals("kernels")) {
                command.add("--kernels");
            }
            run(command.toArray()).requireDone();
        }
        assertThat(Files.mismatch(folder.resolve("host"), folder.resolve("kernels")))
                .isEqualTo(-1);
    }

    @Test
    void fallbacksAreSaidWithTheirCost() {
        Path model = TinyModel.narrow().layers(2).write(folder.resolve("model"));

        CommandRun dry = run(model, "--type", "Q4_K_M", "--dry-run").requireDone();

        assertThat(dry.out())
                .contains("note: blk.*.attn_q.weight (2): rows of 64 weights do not fill blocks of 256, so Q5_0 instead"
                        + " of Q4_K, +")
                .contains("bits per weight", "model-Q4_K_M.gguf would be made")
                .containsPattern("blk\\.1\\.ffn_up\\.weight +\\[64, 64\\] +Q5_0");
        assertThat(folder.resolve("model-Q4_K_M.gguf")).doesNotExist();
        JsonNode json = run(model, "--type", "Q4_K_M", "--dry-run", "--json")
                .requireDone()
                .json();
        double cost = 0;
        for (JsonNode fallback : json.path("fallbacks")) {
            cost += fallback.path("bits_per_weight").asDouble();
        }
        double bits = 0;
        double weights = 0;
        for (JsonNode tensor : json.path("tensors")) {
            double count = 1;
            for (JsonNode extent : tensor.path("shape")) {
                count *= extent.asDouble();
            }
            weights += count;
            // As if rows filled blocks: Q4_K for Q5_0, Q6_K for Q8_0.
            bits += count
                    * switch (tensor.path("type").asText()) {
                        case "Q5_0" -> 4.5;
                        case "Q8_0" -> 6.5625;
                        case "F32" -> 32;
                        default -> throw new AssertionError(tensor);
                    };
        }
        assertThat(json.path("bits_per_weight").asDouble() - bits / weights).isCloseTo(cost, within(1e-9));
    }

    @Test
    void typesAreGivenByPattern() {
        Path model = wide();

        JsonNode json = run(
                        model,
                        "--type",
                        "Q4_K_S",
                        "--pure",
                        "--tensor-type",
                        "ffn_(up|gate)=Q6_K",
                        "--tensor-type",
                        "nothing=Q8_0",
                        "--dry-run",
                        "--json")
                .requireDone()
                .json();

        for (JsonNode tensor : json.path("tensors")) {
            String name = tensor.path("name").asText();
            String expected = name.contains("norm")
                    ? "F32"
                    : name.contains("ffn_up") || name.contains("ffn_gate") ? "Q6_K" : "Q4_K";
            assertThat(tensor.path("type").asText()).as(name).isEqualTo(expected);
        }
        assertThat(json.path("warnings").toString()).contains("nothing matches no tensor");
        run(model, "--type", "Q9").requireRefused(2, "--type Q9", "Q4_K_M");
        run(model, "--type", "Q4_0", "--tensor-type", "ffn").requireRefused(2, "--tensor-type ffn");
        run(model, "--type", "Q2_K_S").requireRefused(3, "importance matrix");
    }

    @Test
    void setsAreSplitAndReadAsOne() throws IOException {
        Path model = wide();
        run(model, "--type", "Q8_0", "--out", folder.resolve("whole.gguf")).requireDone();

        CommandRun run = run(model, "--type", "Q8_0", "--out", folder.resolve("part.gguf"), "--split-max-size", "300KB")
                .requireDone();

        Path first = folder.resolve("part-00001-of-00004.gguf");
        assertThat(run.out()).contains(first.toString(), "part-00004-of-00004.gguf");
        ObjectNode metadata = metadata(first);
        assertThat(metadata.remove("split.count").asText()).isEqualTo("4");
        assertThat(metadata.remove("split.tensors.count").asText()).isEqualTo("12");
        assertThat(metadata.remove("split.no").asText()).isEqualTo("0");
        assertThat(metadata).isEqualTo(metadata(folder.resolve("whole.gguf")));
        CommandRun.of("verify", folder.resolve("part-00003-of-00004.gguf"), "--source", model)
                .requireDone();
        Path text = TinyModel.writeText(folder.resolve("text.jsonl"));
        assertThat(perplexity(first, text, model)).isEqualTo(perplexity(folder.resolve("whole.gguf"), text, model));
        Files.delete(folder.resolve("part-00002-of-00004.gguf"));
        CommandRun.of("verify", first).requireRefused(5, "part-00002-of-00004.gguf");
    }

    private static ObjectNode metadata(Path file) {
        return (ObjectNode)
                CommandRun.of("inspect", file, "--json").requireDone().json().path("metadata");
    }

    private static double perplexity(Path model, Path text, Path tokenizer) {
        return CommandRun.of(
                        "ppl",
                        model,
                        "--text",
                        text,
                        "--tokens",
                        "64",
                        "--tokenizer",
                        tokenizer,
                        "--device",
                        "host",
                        "--json")
                .requireDone()
                .json()
                .path("perplexity")
                .asDouble();
    }

    @Test
    void tokenizersComeFromACheckpoint() {
        Path model = wide();
        run(model, "--type", "F16").requireDone();
        Path made = folder.resolve("wide-model-F16.gguf");
        Path text = TinyModel.writeText(folder.resolve("text.jsonl"));

        CommandRun.of("ppl", made, "--text", text, "--device", "host").requireRefused(2, "--tokenizer");
        JsonNode compared = CommandRun.of(
                        "compare", model, made, "--text", text, "--tokens", "64", "--device", "host", "--json")
                .requireDone()
                .json();
        assertThat(compared.path("checkpoints").path(1).path("kl_divergence").asDouble(1))
                .isLessThan(1e-9);
        assertThat(compared.toString()).contains("GGUF F16");
    }

    @Test
    void onlyGgufFilesAreDequantized() {
        Path model = wide();
        run(model, "--type", "Q4_K_M").requireDone();
        Path made = folder.resolve("wide-model-Q4_K_M.gguf");

        CommandRun.of("convert", made, "--to", "gemm").requireRefused(2, "use --to safetensors");
        CommandRun.of("convert", model, "--to", "safetensors")
                .requireRefused(2, "is for GGUF files and FP8 checkpoints", "is not quantized");
        CommandRun.of("convert", made, "--to", "safetensors", "--dtype", "F8").requireRefused(2, "--dtype F8");
        CommandRun.of("convert", made, "--to", "safetensors", "--dtype", "bf16").requireDone();
        assertThat(folder.resolve("wide-model-Q4_K_M-safetensors").resolve("model.safetensors"))
                .isRegularFile();
    }

    @Test
    void weightsThatAreNoNumbersAreNamed() {
        Path broken = TinyModel.narrow()
                .change("model.layers.1.self_attn.k_proj.weight", values -> {
                    values[77] = Float.NaN;
                    return values;
                })
                .write(folder.resolve("broken"));
        run(broken, "--type", "Q8_0")
                .requireRefused(3, "model.layers.1.self_attn.k_proj.weight holds a NaN or an infinity at element ");
        assertThat(folder).isDirectoryNotContaining("glob:**.gguf");

        Path large = TinyModel.narrow()
                .dtype(DType.BF16, "bfloat16")
                .change("model.layers.0.mlp.up_proj.weight", values -> {
                    values[130] = 1e6f;
                    return values;
                })
                .write(folder.resolve("large"));
        run(large, "--type", "F16")
                .requireRefused(3, "model.layers.0.mlp.up_proj.weight holds 999424.0", "element 130", "BF16");
        run(large, "--type", "BF16").requireDone();
    }

    @Test
    void importanceOfAnotherModelIsRefused() {
        Path model = wide();
        run(model, "--type", "Q4_0", "--imatrix", "src/test/resources/goldens/gguf/demo-llama.imatrix.gguf")
                .requireRefused(3, "768 numbers for blk.0.ffn_down.weight", "256 columns");
        CommandRun dry =
                run(model, "--type", "Q4_0", "--pure", "--dry-run", "--imatrix", folder.resolve("missing.gguf"));
        dry.requireRefused(3, "missing.gguf");
    }

    @Test
    void damageIsFound() throws IOException {
        Path model = wide();
        run(model, "--type", "Q4_0").requireDone();
        Path made = folder.resolve("wide-model-Q4_0.gguf");
        byte[] bytes = Files.readAllBytes(made);

        try (FileChannel channel = FileChannel.open(made, StandardOpenOption.WRITE)) {
            channel.truncate(bytes.length - 100);
        }
        CommandRun.of("verify", made).requireRefused(5, "ends at byte");

        // The last tensor is ffn_up of the only layer: 256 rows of 8 blocks of 18 bytes.
        Files.write(made, bytes);
        try (FileChannel channel = FileChannel.open(made, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(new byte[] {0, 0x7c}), bytes.length - 3 * 18);
        }
        CommandRun.of("verify", made).requireRefused(5, "blk.0.ffn_up.weight", "in block 2045");

        Files.write(made, bytes);
        Path other = TinyModel.narrow().layers(1).write(folder.resolve("other"));
        CommandRun.of("verify", made, "--source", other).requireRefused(5, "embedding_length");
    }
}
