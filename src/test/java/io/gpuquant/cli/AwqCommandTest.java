package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import io.gpuquant.format.AwqScheme;
import io.gpuquant.format.AwqVersion;
import io.gpuquant.format.PackedLinear;
import io.gpuquant.job.MadeCheckpoint;
import io.gpuquant.job.TinyModel;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code gpuquant awq} from options to files, on a model with as many key heads as query heads, so that all groups scale. */
class AwqCommandTest {

    private static final int USAGE = 2;
    private static final int LAYERS = 2;

    @TempDir
    static Path shared;

    private static Path model = Path.of("");
    private static Path text = Path.of("");
    private static Path gemm = Path.of("");
    private static JsonNode summary = com.fasterxml.jackson.databind.node.MissingNode.getInstance();

    @TempDir
    Path folder;

    @BeforeAll
    static void runOnce() {
        model = multiHead().write(shared.resolve("model"));
        text = TinyModel.writeText(shared.resolve("text.jsonl"));
        gemm = shared.resolve("gemm");
        summary = awq(model, gemm).requireDone().json();
    }

    /** Some features of the residual stream are much larger than others, so that there is something to scale. */
    private static TinyModel multiHead() {
        TinyModel tiny = TinyModel.narrow().config(object -> object.put("num_key_value_heads", 2));
        for (int layer = 0; layer < LAYERS; layer++) {
            for (String norm : List.of("input_layernorm", "post_attention_layernorm")) {
                tiny.change("model.layers." + layer + "." + norm + ".weight", AwqCommandTest::uneven);
            }
        }
        return tiny;
    }

    private static float[] uneven(float[] values) {
        for (int i = 0; i < values.length; i += 9) {
            values[i] *= 8;
        }
        return values;
    }

    private static CommandRun awq(Path source, Path out, Object... more) {
        List<Object> command = new ArrayList<>(List.of(
                "awq",
                source,
                "--out",
                out,
                "--calibration",
                text,
                "--group-size",
                "32",
                "--samples",
                "8",
                "--device",
                "host",
                "--json"));
        command.addAll(Arrays.asList(more));
        return CommandRun.of(command.toArray());
    }

    @Test
    void saysWhatItIsAsAutoAwqDoes() {
        MadeCheckpoint made = new MadeCheckpoint(gemm);
        assertThat(made.quantizationConfig().toString())
                .isEqualTo("{\"quant_method\":\"awq\",\"zero_point\":true,\"group_size\":32,\"bits\":4,"
                        + "\"version\":\"gemm\",\"modules_to_not_convert\":null}");
        assertThat(made.json("quant_config.json").toString())
                .isEqualTo("{\"zero_point\":true,\"q_group_size\":32,\"w_bit\":4,\"version\":\"GEMM\"}");
        assertThat(gemm.resolve("quantize_config.json")).doesNotExist();
        assertThat(made.names())
                .contains("model.layers.0.mlp.down_proj.qweight", "model.layers.1.self_attn.q_proj.qzeros")
                .noneMatch(name -> name.endsWith("g_idx"))
                .noneMatch(name -> name.endsWith("_proj.weight"));
    }

    @Test
    void reportsRatiosAndWhatScalingGained() {
        JsonNode scales =
                new MadeCheckpoint(gemm).json("quantization_report.json").path("scales");
        assertThat(scales).hasSize(4 * LAYERS);
        assertThat(summary.path("scales").toString()).isEqualTo(scales.toString());
        int scaled = 0;
        for (JsonNode group : scales) {
            assertThat(group.path("loss").asDouble())
                    .isLessThanOrEqualTo(group.path("loss_without").asDouble());
            scaled += group.path("ratio").isNumber() ? 1 : 0;
        }
        assertThat(scaled).isPositive();
        assertThat(scales.path(1).path("previous").asText()).isEqualTo("model.layers.0.self_attn.v_proj");
        assertThat(scales.path(1).path("linears").toString()).isEqualTo("[\"model.layers.0.self_attn.o_proj\"]");
        for (JsonNode linear : summary.path("linears")) {
            assertThat(linear.path("method").asText()).isEqualTo("awq");
            assertThat(linear.path("relative_error").asDouble()).isBetween(0.0, 0.05);
        }
    }

    @Test
    void dividesNormsInTheirOwnTypeAndMultipliesTheirConsumers() {
        String norm = "model.layers.0.input_layernorm.weight";
        String linear = "model.layers.0.self_attn.v_proj";
        float[] before = new MadeCheckpoint(model).values(norm);
        float[] after = new MadeCheckpoint(gemm).values(norm);
        assertThat(after).isNotEqualTo(before);
        assertThat(new MadeCheckpoint(gemm).content(norm)).startsWith("F16[64]");
        float[] original = new MadeCheckpoint(model).values("model.layers.0.self_attn.q_proj.weight");
        try (Checkpoint checkpoint = Checkpoint.open(gemm)) {
            PackedLinear packed = read(checkpoint, AwqVersion.GEMM, "model.layers.0.self_attn.q_proj");
            double error = 0;
            double size = 0;
            for (int i = 0; i < original.length; i++) {
                int column = i % 64;
                double expected = original[i] * (double) before[column] / after[column];
                error += Math.pow(packed.weight(i / 64, column) - expected, 2);
                size += expected * expected;
            }
            assertThat(error / size).as(linear).isLessThan(0.02);
        }
    }

    @Test
    void verifiesAndComputesWithWhatItMade() {
        assertThat(CommandRun.of("verify", gemm, "--source", model)
                        .requireDone()
                        .out())
                .contains("is in order")
                .contains("14 quantized linears");
        double plain = perplexity(model);
        assertThat(perplexity(gemm)).isCloseTo(plain, within(0.2 * plain));
    }

    private static double perplexity(Path checkpoint) {
        return CommandRun.of("ppl", checkpoint, "--text", text, "--sequence-length", "32", "--device", "host", "--json")
                .requireDone()
                .json()
                .path("perplexity")
                .asDouble();
    }

    @Test
    void putsTheSameCodesIntoBothLayouts() {
        Path gemv = folder.resolve("gemv");
        CommandRun run = awq(model, gemv, "--version", "GEMV").requireDone();
        assertThat(run.json().path("warnings").toString()).contains("vLLM and SGLang take every AWQ");
        assertThat(new MadeCheckpoint(gemv).quantizationConfig().path("version").asText())
                .isEqualTo("gemv");
        try (Checkpoint one = Checkpoint.open(gemm);
                Checkpoint other = Checkpoint.open(gemv)) {
            for (JsonNode linear : summary.path("linears")) {
                String name = linear.path("name").asText();
                PackedLinear a = read(one, AwqVersion.GEMM, name);
                PackedLinear b = read(other, AwqVersion.GEMV, name);
                for (int out = 0; out < a.out(); out++) {
                    for (int in = 0; in < a.in(); in++) {
                        assertThat(b.code(in, out)).isEqualTo(a.code(in, out));
                    }
                    for (int group = 0; group < a.in() / 32; group++) {
                        assertThat(b.zero(group, out)).isEqualTo(a.zero(group, out));
                        assertThat(b.scale(group, out)).isEqualTo(a.scale(group, out));
                    }
                }
            }
        }
        assertThat(perplexity(gemv)).isEqualTo(perplexity(gemm));
    }

    private static PackedLinear read(Checkpoint checkpoint, AwqVersion version, String name) {
        return new AwqScheme(32, false, version)
                .read(tensor -> checkpoint.find(tensor).map(info -> checkpoint.tensor(tensor)), name);
    }

    @Test
    void makesTheSameBytesWithAnyNumberOfThreads() {
        Path made = folder.resolve("made");
        awq(model, made, "--threads", "1").requireDone();
        assertThat(new MadeCheckpoint(made).files()).isEqualTo(new MadeCheckpoint(gemm).files());
    }

    @Test
    void goesOnAfterBeingKilledAndMakesTheSameBytes() throws Exception {
        for (List<String> options : List.of(List.<String>of(), List.of("--no-propagate"))) {
            Path source = multiHead().layers(4).write(Files.createDirectory(folder.resolve("m" + options.size())));
            Path expected = folder.resolve("expected" + options.size());
            awq(source, expected, options.toArray()).requireDone();
            Map<String, String> undisturbed = new MadeCheckpoint(expected).files();
            Path made = folder.resolve("made" + options.size());
            killAfterALayer(source, made, options);
            JsonNode json = awq(source, made, options.toArray()).requireDone().json();
            assertThat(json.path("resumed_layers").asInt()).isPositive();
            assertThat(new MadeCheckpoint(made).files()).isEqualTo(undisturbed);
        }
    }

    private void killAfterALayer(Path source, Path made, List<String> options) throws Exception {
        List<Object> command = new ArrayList<>(List.of(
                "awq",
                source,
                "--out",
                made,
                "--calibration",
                text,
                "--group-size",
                "32",
                "--samples",
                "8",
                "--device",
                "host",
                "--overwrite"));
        command.addAll(options);
        for (int attempt = 0; attempt < 5; attempt++) {
            try (ChildRun child = ChildRun.start(folder, command.toArray())) {
                child.waitUntil(() -> finishedLayers(made) > 0).kill();
            }
            if (finishedLayers(made) > 0) {
                return;
            }
            for (Path file : list(made)) {
                Files.delete(file);
            }
            Files.delete(made);
        }
        throw new AssertionError("the command is always done before it can be killed");
    }

    private static List<Path> list(Path folder) throws IOException {
        try (var files = Files.list(folder)) {
            return files.toList();
        }
    }

    private static int finishedLayers(Path made) {
        try {
            Path journal = made.resolveSibling(made.getFileName() + ".partial").resolve(".journal");
            return Files.exists(journal)
                    ? (int) Files.readString(journal).lines().count() - 1
                    : 0;
        } catch (IOException gone) {
            return 0;
        }
    }

    @Test
    void storesZeroPointsInTheMiddleForSymmetricGrids() {
        Path made = folder.resolve("made");
        awq(model, made, "--no-zero-point", "--objective", "gram", "--no-clip", "--no-duo", "--grid", "4")
                .requireDone();
        assertThat(new MadeCheckpoint(made)
                        .quantizationConfig()
                        .path("zero_point")
                        .asBoolean())
                .isTrue();
        try (Checkpoint checkpoint = Checkpoint.open(made)) {
            PackedLinear linear = read(checkpoint, AwqVersion.GEMM, "model.layers.1.mlp.up_proj");
            for (int out = 0; out < linear.out(); out++) {
                assertThat(linear.zero(0, out)).isEqualTo(8);
                assertThat(linear.zero(1, out)).isEqualTo(8);
            }
        }
        for (JsonNode group :
                new MadeCheckpoint(made).json("quantization_report.json").path("scales")) {
            assertThat(group.path("ratio").asDouble(0)).isIn(0.0, 0.25, 0.5, 0.75);
        }
    }

    @Test
    void dividesBiasesWithTheirLinears() {
        Path biased = multiHead()
                .config(object -> object.put("attention_bias", true).put("mlp_bias", true))
                .dtype(DType.BF16, "bfloat16")
                .write(folder.resolve("biased"));
        Path made = folder.resolve("made");
        awq(biased, made).requireDone();
        String bias = "model.layers.0.mlp.up_proj.bias";
        assertThat(new MadeCheckpoint(made).content(bias)).startsWith("F16[64]");
        assertThat(new MadeCheckpoint(made).values(bias)).isNotEqualTo(new MadeCheckpoint(biased).values(bias));
        assertThat(new MadeCheckpoint(made).content("model.layers.0.input_layernorm.weight"))
                .startsWith("BF16[64]");
        CommandRun.of("verify", made, "--source", biased).requireDone();
        double plain = perplexity(biased);
        assertThat(perplexity(made)).isCloseTo(plain, within(0.2 * plain));
    }

    @Test
    void leavesGroupedValuesUnscaled() {
        Path grouped = TinyModel.narrow().write(folder.resolve("grouped"));
        Path made = folder.resolve("made");
        JsonNode scales = awq(grouped, made).requireDone().json().path("scales");
        assertThat(scales).hasSize(3 * LAYERS);
        assertThat(scales.toString()).doesNotContain("o_proj");
    }

    @Test
    void refusesWhatTheLayoutsCannotHold() {
        Path made = folder.resolve("made");
        awq(model, made, "--bits", "3").requireRefused(USAGE, "--bits 3", "4-bit weights only", "gpuquant gptq");
        CommandRun.of("awq", model, "--out", made, "--group-size", "4").requireRefused(USAGE, "--group-size 4");
        CommandRun.of("awq", model, "--out", made, "--group-size", "16", "--version", "GEMV")
                .requireRefused(USAGE, "--version GEMV", "GEMM");
        awq(model, made, "--grid", "-1").requireRefused(USAGE, "--grid -1");
        CommandRun.of("gptq", model, "--out", made, "--format", "awq", "--group-size", "32")
                .requireRefused(USAGE, "--format awq", "gptq_v2");
        assertThat(made).doesNotExist();
    }

    @Test
    void roundsToNearestInItsLayoutToo() {
        Path made = folder.resolve("made");
        CommandRun.of(
                        "rtn",
                        model,
                        "--out",
                        made,
                        "--format",
                        "awq",
                        "--no-sym",
                        "--group-size",
                        "32",
                        "--device",
                        "host")
                .requireDone();
        MadeCheckpoint checkpoint = new MadeCheckpoint(made);
        assertThat(checkpoint.quantizationConfig().path("quant_method").asText())
                .isEqualTo("awq");
        assertThat(checkpoint.content("model.layers.0.input_layernorm.weight"))
                .isEqualTo(new MadeCheckpoint(model).content("model.layers.0.input_layernorm.weight"));
        CommandRun.of("verify", made, "--source", model).requireDone();
    }

    @Test
    void explainsItself() {
        assertThat(CommandRun.of("awq", "--help").requireDone().out()).contains("--version=GEMM|GEMV", "--objective");
    }
}
