package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import io.gpuquant.format.PackQuantizedScheme;
import io.gpuquant.format.PackedLinear;
import io.gpuquant.job.MadeCheckpoint;
import io.gpuquant.job.TinyModel;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.tensor.BFloat16;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code --format compressed-tensors} from options to files, and the files of others. */
class CompressedTensorsTest {

    private static final int USAGE = 2;
    private static final int BAD_INPUT = 3;
    private static final int VERIFICATION = 5;
    private static final String Q = "model.layers.0.self_attn.q_proj";
    private static final Path GOLDENS = Path.of("src/test/resources/goldens/formats");

    @TempDir
    static Path shared;

    private static Path model = Path.of("");
    private static Path text = Path.of("");

    @TempDir
    Path folder;

    @BeforeAll
    static void writeOnce() {
        model = TinyModel.narrow()
                .layers(1)
                .dtype(DType.BF16, "bfloat16")
                .config(config -> config.put("attention_bias", true).put("num_key_value_heads", 2))
                .write(shared.resolve("model"));
        text = TinyModel.writeText(shared.resolve("text.jsonl"));
    }

    private static CommandRun quantize(String method, Path out, Object... more) {
        List<Object> command = new ArrayList<>(
                List.of(method, model, "--out", out, "--format", "compressed-tensors", "--device", "host", "--json"));
        if (!method.equals("rtn")) {
            command.addAll(List.of("--calibration", text, "--samples", "4"));
        }
        command.addAll(Arrays.asList(more));
        return CommandRun.of(command.toArray());
    }

    @ParameterizedTest
    @CsvSource({
        "rtn, --sym, 4, 32",
        "rtn, --no-sym, 8, -1",
        "gptq, --sym, 3, 32",
        "gptq, --no-sym, 4, 16",
        "awq, --zero-point, 3, 32",
        "awq, --no-zero-point, 4, 64"
    })
    void makesCheckpointsOfTheModelsTypeThatVerify(String method, String grids, int bits, int groupSize) {
        Path out = folder.resolve("out");
        JsonNode summary = quantize(method, out, grids, "--bits", bits, "--group-size", groupSize)
                .requireDone()
                .json();

        boolean symmetric = grids.equals("--sym") || grids.equals("--no-zero-point");
        MadeCheckpoint made = new MadeCheckpoint(out);
        JsonNode weights = made.quantizationConfig().at("/config_groups/group_0/weights");
        assertThat(weights.path("num_bits").asInt()).isEqualTo(bits);
        assertThat(weights.path("symmetric").asBoolean()).isEqualTo(symmetric);
        assertThat(weights.path("strategy").asText()).isEqualTo(groupSize == -1 ? "channel" : "group");
        assertThat(made.names().contains(Q + ".weight_zero_point")).isNotEqualTo(symmetric);
        assertThat(made.names())
                .contains(Q + ".weight_packed", Q + ".weight_shape")
                .doesNotContain(Q + ".weight");
        assertThat(made.content(Q + ".weight_shape")).startsWith("I64[2]4000000000000000");
        assertThat(made.content(Q + ".bias"))
                .startsWith("BF16")
                .isEqualTo(new MadeCheckpoint(model).content(Q + ".bias"));
        assertThat(out.resolve("quantize_config.json")).doesNotExist();
        assertThat(out.resolve("quant_config.json")).doesNotExist();
        assertScalesAreOfBothTypes(out, new PackQuantizedScheme(bits, groupSize, symmetric, DType.BF16));
        String warnings = summary.path("warnings").toString();
        assertThat(warnings.contains("4 and 8 bits only")).isEqualTo(bits == 3);
        JsonNode verified = CommandRun.of("verify", out, "--source", model, "--json")
                .requireDone()
                .json();
        assertThat(verified.path("quantized_linears").asInt()).isEqualTo(7);
        assertThat(verified.path("worst_weight_error").asDouble()).isLessThan(bits == 3 ? 0.1 : 0.03);
    }

    /** BF16 in the file, and F16 numbers, so that other layouts hold them. */
    private static void assertScalesAreOfBothTypes(Path out, PackQuantizedScheme scheme) {
        try (Checkpoint checkpoint = Checkpoint.open(out)) {
            assertThat(checkpoint.info(Q + ".weight_scale").dtype()).isEqualTo(DType.BF16);
            PackedLinear linear = scheme.read(name -> checkpoint.find(name).map(info -> checkpoint.tensor(name)), Q);
            for (int group = 0; group < scheme.groups(linear.in()); group++) {
                for (int o = 0; o < linear.out(); o++) {
                    float scale = linear.scale(group, o);
                    assertThat(Float.float16ToFloat(Float.floatToFloat16(scale)))
                            .isEqualTo(scale);
                    assertThat(BFloat16.toFloat(BFloat16.fromFloat(scale))).isEqualTo(scale);
                }
            }
        }
    }

    /** The report's error is computed from codes on the device, the other from the file by the independent reader. */
    @Test
    void reportsTheErrorOfWhatIsInTheFile() {
        Path out = folder.resolve("out");
        JsonNode summary = quantize("rtn", out, "--bits", 3, "--group-size", 32)
                .requireDone()
                .json();
        PackQuantizedScheme scheme = new PackQuantizedScheme(3, 32, true, DType.BF16);
        try (Checkpoint made = Checkpoint.open(out);
                Checkpoint source = Checkpoint.open(model)) {
            for (JsonNode report : summary.path("linears")) {
                String name = report.path("name").asText();
                PackedLinear linear = scheme.read(tensor -> made.find(tensor).map(info -> made.tensor(tensor)), name);
                float[] weight = io.gpuquant.tensor.Elements.toFloats(source.tensor(name + ".weight"));
                double error = 0;
                double norm = 0;
                for (int o = 0; o < linear.out(); o++) {
                    for (int i = 0; i < linear.in(); i++) {
                        double original = weight[o * linear.in() + i];
                        error += Math.pow(original - linear.weight(o, i), 2);
                        norm += original * original;
                    }
                }
                assertThat(report.path("relative_error").asDouble()).isCloseTo(error / norm, within(1e-5));
            }
        }
    }

    @Test
    void keepsF16ScalesWhereTheModelIsOfAnotherType() {
        for (DType dtype : List.of(DType.F16, DType.F32)) {
            Path plain = TinyModel.narrow()
                    .layers(1)
                    .dtype(dtype, dtype == DType.F16 ? "float16" : "float32")
                    .write(folder.resolve("model" + dtype));
            Path out = folder.resolve("out" + dtype);
            CommandRun.of("rtn", plain, "--out", out, "--group-size", 32, "--format", "compressed-tensors")
                    .requireDone();
            assertThat(new MadeCheckpoint(out).content(Q + ".weight_scale")).startsWith("F16[64, 2]");
        }
    }

    @Test
    void refusesActOrderWithoutStaticGroupsAndLayoutsOfOtherFormats() {
        quantize("gptq", folder.resolve("a"), "--group-size", 32, "--desc-act")
                .requireRefused(USAGE, "--desc-act", "--static-groups");
        quantize("gptq", folder.resolve("b"), "--group-size", 32, "--desc-act", "--static-groups")
                .requireDone();
        CommandRun.of("verify", folder.resolve("b"), "--source", model).requireDone();
        quantize("awq", folder.resolve("c"), "--group-size", 32, "--version", "GEMV")
                .requireRefused(USAGE, "--version GEMV", "--format compressed-tensors");
        quantize("awq", folder.resolve("d"), "--group-size", 4).requireRefused(USAGE, "--group-size 4");
        CommandRun.of("awq", model, "--out", folder.resolve("e"), "--group-size", 32, "--format", "gptq")
                .requireRefused(USAGE, "--format gptq is not for AWQ");
    }

    @ParameterizedTest
    @CsvSource({"ct_W4A16, symmetric, 26", "ct_W4A16_ASYM, asymmetric, 33"})
    void readsWhatUpstreamMade(String golden, String grids, int tensors) {
        Path other = GOLDENS.resolve(golden);
        assertThat(CommandRun.of("verify", other).requireDone().out())
                .contains(tensors + " tensors", "7 quantized linears");
        assertThat(CommandRun.of("inspect", other).requireDone().out())
                .contains("quantized by compressed-tensors: pack-quantized, 4 bits, group size 128, " + grids
                        + ", 7 linears");
    }

    @Test
    void findsWhatEnginesRefuse() throws IOException {
        Path damaged = Files.createDirectory(folder.resolve("damaged"));
        for (String file : List.of("config.json", "model.safetensors")) {
            Files.copy(GOLDENS.resolve("ct_W4A16_ASYM").resolve(file), damaged.resolve(file));
        }
        String config = Files.readString(damaged.resolve("config.json"));
        Files.writeString(
                damaged.resolve("config.json"), config.replace("\"symmetric\": false", "\"symmetric\": true"));
        CommandRun.of("verify", damaged)
                .requireRefused(VERIFICATION, "weight_zero_point", "config.json says that grids are symmetric");
        Files.writeString(damaged.resolve("config.json"), config.replace("\"group_size\": 128", "\"group_size\": 64"));
        CommandRun.of("verify", damaged).requireRefused(VERIFICATION, "weight_scale", "groups of 64");
        Files.writeString(damaged.resolve("config.json"), config.replace("pack-quantized", "int-quantized"));
        CommandRun.of("ppl", damaged, "--text", text).requireRefused(BAD_INPUT, "int-quantized");
    }
}
