package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import io.gpuquant.job.MadeCheckpoint;
import io.gpuquant.job.TinyModel;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whole runs of {@code gpuquant bnb}, {@code fp8}, {@code int8} and {@code fp4} from a checkpoint folder to a checkpoint folder. */
class ElementCommandsTest {

    private static final String NORM = "model.layers.1.input_layernorm.weight";
    private static final String QUERY = "model.layers.1.self_attn.q_proj";

    @TempDir
    Path folder;

    private Path model = Path.of("");
    private Path text = Path.of("");

    @BeforeEach
    void makeModel() {
        // Queries and keys of 128 features, which blocks of 128 by 128 divide, and an input feature that stands out.
        model = new TinyModel()
                .dtype(DType.BF16, "bfloat16")
                .config(config -> config.put("num_key_value_heads", 4).put("attention_bias", true))
                .change(NORM, values -> {
                    values[7] = 20;
                    return values;
                })
                .write(folder.resolve("model"));
        text = TinyModel.writeText(folder.resolve("text.jsonl"));
    }

    private static DType type(Path made, String tensor) {
        try (Checkpoint checkpoint = Checkpoint.open(made)) {
            return checkpoint.info(tensor).dtype();
        }
    }

    @Test
    void bnbMakesWhatEveryCommandReads() {
        CommandRun run = CommandRun.of("bnb", model, "--double-quant").requireDone();

        Path made = folder.resolve("model-bnb-nf4-dq");
        assertThat(run.out()).contains("bnb NF4 double-quant", "14 quantized", "on average; most: model.layers.");
        MadeCheckpoint checkpoint = new MadeCheckpoint(made);
        assertThat(checkpoint
                        .quantizationConfig()
                        .path("bnb_4bit_compute_dtype")
                        .asText())
                .isEqualTo("bfloat16");
        assertThat(checkpoint
                        .quantizationConfig()
                        .path("llm_int8_skip_modules")
                        .path(0)
                        .asText())
                .isEqualTo("lm_head");
        for (String name : List.of("lm_head.weight", NORM, QUERY + ".bias", "model.embed_tokens.weight")) {
            assertThat(checkpoint.content(name)).isEqualTo(new MadeCheckpoint(model).content(name));
        }
        for (String file : List.of("tokenizer.json", "generation_config.json", "chat_template.jinja", "LICENSE")) {
            assertThat(made.resolve(file)).hasSameBinaryContentAs(model.resolve(file));
        }
        assertThat(CommandRun.of("inspect", made).requireDone().out())
                .contains("quantized as bnb NF4 double-quant, 14 linears");
        JsonNode verified = CommandRun.of("verify", made, "--source", model, "--json")
                .requireDone()
                .json();
        assertThat(verified.path("quantized_linears").asInt()).isEqualTo(14);
        assertThat(verified.path("worst_weight_error").asDouble()).isBetween(0.005, 0.02);
        JsonNode compared = CommandRun.of("compare", model, made, "--text", text, "--sequence-length", "16", "--json")
                .requireDone()
                .json();
        assertThat(compared.path("checkpoints").path(1).path("format").asText()).isEqualTo("bnb NF4 double-quant");
        assertThat(compared.path("checkpoints").path(1).path("kl_divergence").asDouble())
                .isBetween(1e-6, 0.5);
    }

    @Test
    void theSameCommandMakesTheSameBytesWhateverWasLeftBehind() throws IOException {
        Object[] command = {"int8", model, "--calibration", text, "--samples", "4", "--sequence-length", "16", "--out"};
        Path first = folder.resolve("first");
        Path second = folder.resolve("second");
        CommandRun.of(with(command, first)).requireDone();
        Path left = Files.createDirectory(folder.resolve("second.partial"));
        Files.writeString(left.resolve(".ranges"), "of another run");
        Files.writeString(left.resolve("model.safetensors"), "half of");

        CommandRun.of(with(command, second)).requireDone();

        assertThat(new MadeCheckpoint(second).files()).isEqualTo(new MadeCheckpoint(first).files());
        assertThat(new MadeCheckpoint(first).files())
                .containsKeys("config.json", "quantization_report.json", "model.safetensors")
                .doesNotContainKeys(".ranges", ".lock");
        assertThat(left).doesNotExist();
    }

    private static Object[] with(Object[] command, Path output) {
        Object[] all = Arrays.copyOf(command, command.length + 1);
        all[command.length] = output;
        return all;
    }

    @Test
    void smoothingMovesOutliersIntoWeightsAndChangesNothingElse() {
        Path made = folder.resolve("made");
        CommandRun.of("int8", model, "--calibration", text, "--samples", "4", "--out", made)
                .requireDone();

        MadeCheckpoint source = new MadeCheckpoint(model);
        MadeCheckpoint smoothed = new MadeCheckpoint(made);
        float[] norm = source.values(NORM);
        float[] folded = smoothed.values(NORM);
        // The feature that stands out is divided by the most.
        float largest = 0;
        for (int i = 0; i < norm.length; i++) {
            largest = Math.max(largest, norm[i] / folded[i]);
        }
        assertThat(norm[7] / folded[7]).isEqualTo(largest).isGreaterThan(3);
        // What a feature is divided by, its weights are multiplied with: the product is that of the source, up to
        // rounding.
        float[] weight = source.values(QUERY + ".weight");
        float[] scales = smoothed.values(QUERY + ".weight_scale");
        byte[] codes = codes(made, QUERY + ".weight");
        int in = norm.length;
        double error = 0;
        double total = 0;
        for (int i = 0; i < weight.length; i++) {
            double theirs = weight[i] * (double) norm[i % in];
            double ours = codes[i] * (double) scales[i / in] * folded[i % in];
            error += (theirs - ours) * (theirs - ours);
            total += theirs * theirs;
        }
        assertThat(error / total).isLessThan(3e-4);
        CommandRun.of("verify", made, "--source", model).requireDone();
        assertThat(type(made, QUERY + ".weight")).isEqualTo(DType.I8);
    }

    private static byte[] codes(Path made, String tensor) {
        try (Checkpoint checkpoint = Checkpoint.open(made)) {
            return checkpoint.tensor(tensor).data().toArray(ValueLayout.JAVA_BYTE);
        }
    }

    @Test
    void withoutSmoothingInt8NeedsNoText() {
        JsonNode json = CommandRun.of("int8", model, "--smooth", "0", "--json")
                .requireDone()
                .json();

        assertThat(json.has("calibration")).isFalse();
        assertThat(json.path("format").asText()).isEqualTo("compressed-tensors W8A8");
        Path made = Path.of(json.path("output").asText());
        assertThat(new MadeCheckpoint(made).content(NORM)).isEqualTo(new MadeCheckpoint(model).content(NORM));
    }

    @Test
    void staticFp8HasAScaleForEachInput() {
        Path made = folder.resolve("made");
        JsonNode json = CommandRun.of(
                        "fp8",
                        model,
                        "--scheme",
                        "static",
                        "--calibration",
                        text,
                        "--samples",
                        "4",
                        "--out",
                        made,
                        "--json")
                .requireDone()
                .json();

        assertThat(json.path("calibration").path("sequences_used").asInt()).isEqualTo(4);
        MadeCheckpoint checkpoint = new MadeCheckpoint(made);
        float query = checkpoint.values(QUERY + ".input_scale")[0];
        assertThat(checkpoint.values("model.layers.1.self_attn.k_proj.input_scale"))
                .containsExactly(query);
        // RMSNorm's largest output is about the weight of the feature that stands out times a few.
        assertThat(query * 448).isBetween(20f, 20 * 11.3f);
        assertThat(checkpoint.values("model.layers.0.mlp.down_proj.input_scale")[0])
                .isPositive();
        CommandRun.of("verify", made, "--source", model).requireDone();
    }

    @Test
    void nvfp4SharesTheScaleOfScalesAmongFusedLinears() {
        Path made = folder.resolve("made");
        CommandRun.of("fp4", model, "--calibration", text, "--samples", "4", "--out", made)
                .requireDone();

        MadeCheckpoint checkpoint = new MadeCheckpoint(made);
        for (String tensor : List.of("weight_global_scale", "input_global_scale")) {
            float query = checkpoint.values(QUERY + "." + tensor)[0];
            assertThat(checkpoint.values("model.layers.1.self_attn.k_proj." + tensor))
                    .containsExactly(query);
            assertThat(checkpoint.values("model.layers.1.self_attn.v_proj." + tensor))
                    .containsExactly(query);
        }
        CommandRun.of("verify", made, "--source", model).requireDone();
        for (String scheme : List.of("nvfp4a16", "mxfp4", "mxfp8")) {
            Path other = folder.resolve(scheme);
            CommandRun.of("fp4", model, "--scheme", scheme, "--out", other).requireDone();
            CommandRun.of("verify", other, "--source", model).requireDone();
        }
    }

    /** Blocks do not divide the 32 keys of this model, so its attention stays as it is, and the files say so. */
    @Test
    void linearsThatDoNotFitAreKeptTogetherAndListed() {
        Path narrow = new TinyModel()
                .dtype(DType.BF16, "bfloat16")
                .config(config -> config.put("num_key_value_heads", 1))
                .write(folder.resolve("narrow"));
        Path made = folder.resolve("made");

        CommandRun run = CommandRun.of("fp8", narrow, "--scheme", "block", "--layout", "hf", "--out", made)
                .requireDone();

        assertThat(run.err()).contains("warning: model.layers.0.self_attn.q_proj and its like are kept as they are");
        assertThat(run.out()).contains("8 quantized");
        List<String> kept = new ArrayList<>();
        new MadeCheckpoint(made)
                .quantizationConfig()
                .path("modules_to_not_convert")
                .forEach(name -> kept.add(name.asText()));
        assertThat(kept)
                .containsExactlyInAnyOrder(
                        "lm_head",
                        "model.layers.0.self_attn.q_proj",
                        "model.layers.0.self_attn.k_proj",
                        "model.layers.0.self_attn.v_proj",
                        "model.layers.1.self_attn.q_proj",
                        "model.layers.1.self_attn.k_proj",
                        "model.layers.1.self_attn.v_proj");
        // Such a checkpoint is a source too: what it kept is kept, what is FP8 becomes what it stands for.
        Path again = folder.resolve("again");
        CommandRun.of("rtn", made, "--bits", "8", "--group-size", "32", "--out", again)
                .requireDone();
        CommandRun.of("verify", again, "--source", made).requireDone();
        MadeCheckpoint rounded = new MadeCheckpoint(again);
        assertThat(rounded.names()).noneMatch(name -> name.contains("weight_scale"));
        assertThat(rounded.quantizationConfig().path("quant_method").asText()).isEqualTo("gptq");
        assertThat(CommandRun.of("bnb", made, "--out", folder.resolve("nf4"))
                        .requireDone()
                        .out())
                .contains("14 quantized");
    }

    @Test
    void fp8CheckpointsStandForTheirSource() {
        Path made = folder.resolve("made");
        CommandRun.of("fp8", model, "--out", made).requireDone();
        assertThat(type(made, QUERY + ".weight")).isEqualTo(DType.F8_E4M3);

        double theirs = perplexity(model);
        assertThat(perplexity(made)).isCloseTo(theirs, within(0.05 * theirs));
        CommandRun.of(
                        "gptq",
                        made,
                        "--calibration",
                        text,
                        "--samples",
                        "2",
                        "--sequence-length",
                        "16",
                        "--out",
                        folder.resolve("gptq"))
                .requireDone();
        CommandRun.of("verify", folder.resolve("gptq"), "--source", model).requireDone();
    }

    private double perplexity(Path checkpoint) {
        return CommandRun.of("ppl", checkpoint, "--text", text, "--sequence-length", "16", "--tokens", "256", "--json")
                .requireDone()
                .json()
                .path("perplexity")
                .asDouble();
    }

    @Test
    void damageIsFoundAndNamed() throws IOException {
        Path made = folder.resolve("made");
        CommandRun.of("fp8", model, "--out", made).requireDone();
        long offset;
        Path file;
        try (Checkpoint checkpoint = Checkpoint.open(made)) {
            file = checkpoint.fileOf(QUERY + ".weight");
            long end = checkpoint.tensors().getLast().end();
            offset = Files.size(file) - end + checkpoint.info(QUERY + ".weight").offset();
        }
        try (RandomAccessFile bytes = new RandomAccessFile(file.toFile(), "rw")) {
            bytes.seek(offset);
            bytes.write(0x7f);
        }

        CommandRun.of("verify", made).requireRefused(5, QUERY + ".weight holds a NaN at element 0");
        CommandRun.of("ppl", made, "--text", text).requireRefused(3, QUERY + ".weight holds a NaN at element 0");
    }

    @Test
    void whatCannotBeMadeIsSaid() {
        CommandRun.of("bnb", model, "--type", "int8", "--double-quant").requireRefused(2, "--double-quant is for");
        CommandRun.of("fp8", model, "--layout", "hf").requireRefused(2, "use --scheme block");
        CommandRun.of("int8", model, "--smooth", "2").requireRefused(2, "--smooth 2.0 is not between 0 and 1");
        Path made = folder.resolve("made");
        CommandRun.of("bnb", model, "--out", made).requireDone();
        CommandRun.of("bnb", model, "--out", made).requireRefused(2, "exists already");
        CommandRun.of("fp8", made).requireRefused(3, "is already quantized (bitsandbytes)");
        Path odd = new TinyModel()
                .config(config -> config.put("hidden_size", 24)
                        .put("intermediate_size", 24)
                        .put("num_attention_heads", 3)
                        .put("num_key_value_heads", 3)
                        .put("head_dim", 8))
                .write(folder.resolve("odd"));
        CommandRun.of("fp4", odd, "--scheme", "mxfp4")
                .requireRefused(3, "no linear of " + odd + " can be quantized", "24 to 24 features");
    }
}
