package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.Version;
import io.gpuquant.job.MadeCheckpoint;
import io.gpuquant.job.TinyModel;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whole runs of {@code gpuquant gptq} and {@code gpuquant rtn} from a checkpoint folder to a checkpoint folder. */
class QuantizeCommandsTest {

    private static final String FIRST = "model.layers.0.self_attn.q_proj";

    @TempDir
    Path folder;

    @Test
    void gptqNeedsNothingButTheModel() throws IOException {
        Path model = new TinyModel().write(folder.resolve("model"));

        CommandRun run = CommandRun.of("gptq", model, "--samples", "8").requireDone();

        Path made = folder.resolve("model-gptq-4bit-g128");
        assertThat(run.out())
                .contains(made.toString(), "14 quantized", "8 of 4095 sequences of 32 tokens from built-in.jsonl");
        assertThat(run.out()).contains("65 tensors read back").contains("on average; most: model.layers.");
        assertThat(run.err()).contains("device: ", "layer 1/2: relative error", "layer 2/2", "verifying");
        assertThat(new MadeCheckpoint(made).json("config.json"))
                .isEqualTo(withQuantization(
                        new MadeCheckpoint(model).json("config.json"), """
                {"bits": 4, "group_size": 128, "desc_act": false, "sym": true, "lm_head": false,
                 "quant_method": "gptq", "method": "gptq", "checkpoint_format": "gptq", "format": "gptq",
                 "pack_dtype": "int32", "damp_percent": 0.05, "static_groups": false, "true_sequential": true,
                 "meta": {"quantizer": ["gpuquant:%s"], "algorithm": "gptq", "damp_percent": 0.05,
                          "static_groups": false, "true_sequential": true, "act_group_aware": true, "mse": 0.0}}
                """.formatted(Version.number())));
        assertThat(new MadeCheckpoint(made).json("quantize_config.json"))
                .isEqualTo(new MadeCheckpoint(made).quantizationConfig());
        assertThat(folder).isDirectoryNotContaining("glob:**.partial");
    }

    private static JsonNode withQuantization(JsonNode config, String quantization) throws IOException {
        JsonNode changed = config.deepCopy();
        ((ObjectNode) changed).set("quantization_config", new ObjectMapper().readTree(quantization));
        return changed;
    }

    @Test
    void weightsStandForThoseOfTheModel() {
        Path model = new TinyModel().write(folder.resolve("model"));

        CommandRun.of("gptq", model, "--samples", "8").requireDone();
        CommandRun.of("rtn", model).requireDone();

        MadeCheckpoint source = new MadeCheckpoint(model);
        for (String made : List.of("model-gptq-4bit-g128", "model-rtn-4bit-g128")) {
            MadeCheckpoint checkpoint = new MadeCheckpoint(folder.resolve(made));
            for (String name : source.names()) {
                if (name.endsWith("_proj.weight")) {
                    String linear = name.substring(0, name.length() - ".weight".length());
                    assertThat(relativeError(source.values(name), checkpoint.weights(linear)))
                            .as(made + ": " + linear)
                            .isBetween(0.001, 0.03);
                }
            }
        }
    }

    private static double relativeError(float[] expected, float[] actual) {
        assertThat(actual).hasSameSizeAs(expected);
        double error = 0;
        double norm = 0;
        for (int i = 0; i < expected.length; i++) {
            error += (expected[i] - actual[i]) * (double) (expected[i] - actual[i]);
            norm += expected[i] * (double) expected[i];
        }
        return error / norm;
    }

    @Test
    void rtnIsWithinHalfAStepOfEveryWeightThatItsGridReaches() {
        Path model = TinyModel.narrow().write(folder.resolve("model"));

        JsonNode json = CommandRun.of("rtn", model, "--bits", "8", "--group-size", "32", "--no-sym", "--json")
                .requireDone()
                .json();

        assertThat(json.path("method").asText()).isEqualTo("rtn");
        assertThat(json.has("calibration")).isFalse();
        assertThat(json.path("linears"))
                .hasSize(14)
                .allMatch(linear -> linear.path("method").asText().equals("rtn"));
        MadeCheckpoint made = new MadeCheckpoint(Path.of(json.path("output").asText()));
        assertThat(made.folder()).isEqualTo(folder.resolve("model-rtn-8bit-g32"));
        float[] expected = new MadeCheckpoint(model).values(FIRST + ".weight");
        float[] actual = made.weights(FIRST);
        float[] scales = made.values(FIRST + ".scales");
        int out = 64;
        for (int i = 0; i < expected.length; i++) {
            float step = scales[i % 64 / 32 * out + i / 64];
            // The zero point is rounded, so that the ends of the range may be cut by half a step more.
            assertThat(Math.abs(expected[i] - actual[i])).isLessThanOrEqualTo(step * 1.01f);
        }
        assertThat(relativeError(expected, actual)).isLessThan(1e-4);
    }

    @Test
    void everythingElseIsCopiedByteForByte() throws IOException {
        Path model = TinyModel.narrow().dtype(DType.BF16, "bfloat16").write(folder.resolve("model"));

        CommandRun.of("rtn", model, "--group-size", "32", "--out", folder.resolve("made"))
                .requireDone();

        MadeCheckpoint source = new MadeCheckpoint(model);
        MadeCheckpoint made = new MadeCheckpoint(folder.resolve("made"));
        List<String> expected = new ArrayList<>();
        for (String name : source.names()) {
            if (name.endsWith("_proj.weight")) {
                String linear = name.substring(0, name.length() - ".weight".length());
                for (String part : List.of(".qweight", ".qzeros", ".scales", ".g_idx")) {
                    expected.add(linear + part);
                }
            } else {
                expected.add(name);
                assertThat(made.content(name)).as(name).isEqualTo(source.content(name));
            }
        }
        assertThat(made.names()).isEqualTo(expected);
        for (String file : List.of(
                "tokenizer.json",
                "tokenizer_config.json",
                "special_tokens_map.json",
                "generation_config.json",
                "chat_template.jinja",
                "LICENSE")) {
            assertThat(folder.resolve("made").resolve(file)).hasSameBinaryContentAs(model.resolve(file));
        }
        assertThat(made.files().keySet())
                .containsExactlyInAnyOrder(
                        "LICENSE",
                        "chat_template.jinja",
                        "config.json",
                        "generation_config.json",
                        "model.safetensors",
                        "quantization_report.json",
                        "quantize_config.json",
                        "special_tokens_map.json",
                        "tokenizer.json",
                        "tokenizer_config.json");
    }

    @Test
    void tiedEmbeddingsStayTied() {
        Path model = TinyModel.narrow()
                .config(config -> config.put("tie_word_embeddings", true))
                .write(folder.resolve("model"));

        CommandRun.of("rtn", model, "--group-size", "32", "--out", folder.resolve("made"))
                .requireDone();

        MadeCheckpoint made = new MadeCheckpoint(folder.resolve("made"));
        assertThat(made.names()).contains("model.embed_tokens.weight").doesNotContain("lm_head.weight");
        assertThat(made.json("config.json").path("tie_word_embeddings").asBoolean())
                .isTrue();
    }

    @Test
    void biasesOfQuantizedLinearsHaveTheTypeOfTheirScales() {
        Path model = TinyModel.narrow()
                .dtype(DType.BF16, "bfloat16")
                .config(config -> config.put("attention_bias", true).put("mlp_bias", true))
                .write(folder.resolve("model"));

        CommandRun.of(gptq(model, "--out", folder.resolve("made"))).requireDone();

        MadeCheckpoint made = new MadeCheckpoint(folder.resolve("made"));
        for (String bias : List.of(FIRST + ".bias", "model.layers.1.mlp.down_proj.bias")) {
            assertThat(made.content(bias)).startsWith("F16");
            float[] expected = new MadeCheckpoint(model).values(bias);
            float[] actual = made.values(bias);
            for (int i = 0; i < expected.length; i++) {
                assertThat(actual[i]).isEqualTo(Float.float16ToFloat(Float.floatToFloat16(expected[i])));
            }
        }
    }

    @Test
    void shardedModelsKeepTheirOrder() {
        Path model = TinyModel.narrow().shards(60_000).write(folder.resolve("model"));
        assertThat(model.resolve("model.safetensors.index.json")).exists();

        CommandRun.of("rtn", model, "--group-size", "32", "--out", folder.resolve("made"))
                .requireDone();
        Path single = TinyModel.narrow().write(folder.resolve("single"));
        CommandRun.of("rtn", single, "--group-size", "32", "--out", folder.resolve("from-single"))
                .requireDone();

        MadeCheckpoint made = new MadeCheckpoint(folder.resolve("made"));
        MadeCheckpoint fromSingle = new MadeCheckpoint(folder.resolve("from-single"));
        assertThat(made.names()).isEqualTo(fromSingle.names());
        for (String name : made.names()) {
            assertThat(made.content(name)).as(name).isEqualTo(fromSingle.content(name));
        }
    }

    @Test
    void everyOptionReachesItsPlace() {
        Path model = TinyModel.narrow().write(folder.resolve("model"));
        Path text = TinyModel.writeText(folder.resolve("text.jsonl"));

        JsonNode json = CommandRun.of(
                        "gptq",
                        model,
                        "--out",
                        folder.resolve("made"),
                        "--bits",
                        "3",
                        "--group-size",
                        "64",
                        "--no-sym",
                        "--desc-act",
                        "--static-groups",
                        "--no-gar",
                        "--damp",
                        "0.1",
                        "--mse",
                        "--format",
                        "gptq_v2",
                        "--calibration",
                        text,
                        "--text-field",
                        "title",
                        "--samples",
                        "3",
                        "--sequence-length",
                        "16",
                        "--seed",
                        "5",
                        "--device",
                        "host",
                        "--device-memory",
                        "1GB",
                        "--threads",
                        "1",
                        "--json",
                        "--quiet")
                .requireDone()
                .json();

        assertThat(json.path("bits").asInt()).isEqualTo(3);
        assertThat(json.path("group_size").asInt()).isEqualTo(64);
        JsonNode calibration = json.path("calibration");
        assertThat(calibration.path("file").asText()).isEqualTo(text.toString());
        assertThat(calibration.path("documents").asInt()).isEqualTo(12);
        assertThat(calibration.path("sequence_length").asInt()).isEqualTo(16);
        assertThat(calibration.path("sequences_used").asInt()).isEqualTo(3);
        assertThat(calibration.path("sequences_available").asInt()).isGreaterThan(10);
        assertThat(calibration.path("seed").asInt()).isEqualTo(5);
        assertThat(json.path("linears"))
                .allMatch(linear -> linear.path("damping").asDouble() == 0.1);
        assertThat(json.path("warnings").toString()).contains("3-bit, asymmetric", "gptq_v2");
        JsonNode config = new MadeCheckpoint(folder.resolve("made")).quantizationConfig();
        assertThat(config.path("bits").asInt()).isEqualTo(3);
        assertThat(config.path("group_size").asInt()).isEqualTo(64);
        assertThat(config.path("sym").asBoolean(true)).isFalse();
        assertThat(config.path("checkpoint_format").asText()).isEqualTo("gptq_v2");
        assertThat(config.path("damp_percent").asDouble()).isEqualTo(0.1);
        assertThat(config.path("static_groups").asBoolean()).isTrue();
        assertThat(config.path("meta").path("mse").asDouble()).isEqualTo(2.0);
        assertThat(config.path("meta").path("act_group_aware").asBoolean(true)).isFalse();
        // With static groups the order of the turns is not seen in the file.
        assertThat(config.path("desc_act").asBoolean(true)).isFalse();
    }

    @Test
    void quietPrintsNoProgress() {
        Path model = TinyModel.narrow().write(folder.resolve("model"));

        assertThat(CommandRun.of("rtn", model, "--group-size", "32", "--quiet")
                        .requireDone()
                        .err())
                .isEmpty();
    }

    @Test
    void descActFormsGroupsByActivity() {
        Path model = TinyModel.narrow().write(folder.resolve("model"));

        CommandRun.of(gptq(model, "--out", folder.resolve("made"), "--desc-act"))
                .requireDone();

        MadeCheckpoint made = new MadeCheckpoint(folder.resolve("made"));
        assertThat(made.quantizationConfig().path("desc_act").asBoolean()).isTrue();
        assertThat(made.groups(FIRST)).containsOnly(0, 1).isNotEqualTo(sequentialGroups());
        // Engines fuse queries, keys and values, and have one order of features for them.
        assertThat(made.groups("model.layers.0.self_attn.k_proj")).isEqualTo(made.groups(FIRST));
        assertThat(relativeError(new MadeCheckpoint(model).values(FIRST + ".weight"), made.weights(FIRST)))
                .isLessThan(0.03);
    }

    private static int[] sequentialGroups() {
        int[] groups = new int[64];
        for (int i = 0; i < groups.length; i++) {
            groups[i] = i / 32;
        }
        return groups;
    }

    @Test
    void methodsThatDifferMakeWeightsThatDiffer() {
        Path model = TinyModel.narrow().layers(1).write(folder.resolve("model"));
        List<List<Object>> variants = List.of(
                List.of(),
                List.of("--no-gar"),
                List.of("--static-groups"),
                List.of("--damp", "0.5"),
                List.of("--mse"),
                List.of("--seed", "1"),
                List.of("--desc-act"));

        List<String> contents = new ArrayList<>();
        for (int i = 0; i < variants.size(); i++) {
            List<Object> arguments = new ArrayList<>(List.of("--out", folder.resolve("made" + i)));
            arguments.addAll(variants.get(i));
            CommandRun.of(gptq(model, arguments.toArray())).requireDone();
            MadeCheckpoint made = new MadeCheckpoint(folder.resolve("made" + i));
            contents.add(made.content(FIRST + ".qweight") + made.content(FIRST + ".scales"));
            if (!variants.get(i).contains("--desc-act")) {
                assertThat(made.groups(FIRST)).isEqualTo(sequentialGroups());
            }
        }

        assertThat(contents).doesNotHaveDuplicates();
    }

    @Test
    void theSameCommandMakesTheSameBytesOnAnyNumberOfThreads() {
        Path model = TinyModel.narrow().write(folder.resolve("model"));

        CommandRun.of(gptq(model, "--out", folder.resolve("first"))).requireDone();
        CommandRun.of(gptq(model, "--out", folder.resolve("second"))).requireDone();
        CommandRun.of(gptq(model, "--out", folder.resolve("one"), "--threads", "1"))
                .requireDone();
        CommandRun.of(gptq(model, "--out", folder.resolve("three"), "--threads", "3"))
                .requireDone();

        var expected = new MadeCheckpoint(folder.resolve("first")).files();
        for (String other : List.of("second", "one", "three")) {
            assertThat(new MadeCheckpoint(folder.resolve(other)).files()).isEqualTo(expected);
        }
    }

    @Test
    void theResultDoesNotDependOnWhereActivationsAreKept() {
        // 128 sequences of 64 tokens are two chunks; a single one is on the device in any case.
        Path model = TinyModel.narrow()
                .layers(1)
                .config(config -> config.put("max_position_embeddings", 64))
                .write(folder.resolve("model"));
        JsonNode plan = CommandRun.of(
                        "plan", model, "--group-size", "32", "--samples", "128", "--device", "host", "--json")
                .requireDone()
                .json();
        long all = plan.path("peak_device_bytes").asLong();

        JsonNode wide = CommandRun.of("gptq", model, "--group-size", "32", "--out", folder.resolve("wide"), "--json")
                .requireDone()
                .json();
        JsonNode tight = CommandRun.of(
                        "gptq",
                        model,
                        "--group-size",
                        "32",
                        "--out",
                        folder.resolve("tight"),
                        "--device-memory",
                        all - 1,
                        "--json")
                .requireDone()
                .json();

        assertThat(wide.path("peak_device_bytes").asLong()).isEqualTo(all);
        assertThat(tight.path("peak_device_bytes").asLong())
                .isLessThan(wide.path("peak_device_bytes").asLong());
        assertThat(new MadeCheckpoint(folder.resolve("tight")).files())
                .isEqualTo(new MadeCheckpoint(folder.resolve("wide")).files());
    }

    @Test
    void overwriteReplacesAFinishedOutput() throws IOException {
        Path model = TinyModel.narrow().write(folder.resolve("model"));
        Path out = Files.createDirectory(folder.resolve("made"));
        Files.writeString(out.resolve("stale.txt"), "of before");
        Files.writeString(out.resolve("config.json"), "{}");

        CommandRun.of("rtn", model, "--group-size", "32", "--out", out)
                .requireRefused(2, out + " exists already", "--overwrite");
        assertThat(out.resolve("stale.txt")).exists();

        CommandRun.of("rtn", model, "--group-size", "32", "--out", out, "--overwrite")
                .requireDone();
        assertThat(out.resolve("stale.txt")).doesNotExist();
        assertThat(out.resolve("model.safetensors")).exists();
        assertThat(folder).isDirectoryNotContaining("glob:**/made.*");
    }

    @Test
    void linearsThatCannotBePackedAreKeptAndListed() {
        Path model = TinyModel.narrow()
                .config(config -> config.put("intermediate_size", 80))
                .write(folder.resolve("model"));

        CommandRun run = CommandRun.of(
                        "gptq", model, "--group-size", "16", "--samples", "4", "--out", folder.resolve("made"))
                .requireDone();

        assertThat(run.err()).contains("warning: model.layers.0.mlp.gate_proj and its like are kept as they are");
        assertThat(run.out()).contains("8 quantized");
        MadeCheckpoint made = new MadeCheckpoint(folder.resolve("made"));
        assertThat(made.quantizationConfig()
                        .path("modules_in_block_to_quantize")
                        .toString())
                .isEqualTo("[[\"self_attn.q_proj\",\"self_attn.k_proj\",\"self_attn.v_proj\"],[\"self_attn.o_proj\"]]");
        String kept = "model.layers.1.mlp.down_proj.weight";
        assertThat(made.content(kept)).isEqualTo(new MadeCheckpoint(model).content(kept));
    }

    private static Object[] gptq(Path model, Object... more) {
        List<Object> arguments = new ArrayList<>(List.of("gptq", model, "--group-size", "32", "--samples", "4"));
        arguments.addAll(List.of(more));
        return arguments.toArray();
    }
}
