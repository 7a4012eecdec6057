package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.job.MadeCheckpoint;
import io.gpuquant.job.TinyModel;
import io.gpuquant.model.RandomModel;
import io.gpuquant.safetensors.TestCheckpoints;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A checkpoint of each family from the command line: quantized by GPTQ and AWQ, verified, and computed with. */
class ModelFamiliesTest {

    private static final Path TOKENIZER = Path.of("datasets/demo-llama");

    /** What is tried for each group: enough to find a scale. */
    private static final List<String> FEW_RATIOS = List.of("--grid", "4");

    private static final String COMMON = """
            {"hidden_size": 64, "intermediate_size": 64, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 32,
             "vocab_size": 1024, "max_position_embeddings": 32, "bos_token_id": 0, "torch_dtype": "float16",
             "num_hidden_layers": 1}""";

    /** What makes a family's checkpoint, by its model type. */
    private static final Map<String, String> FAMILIES = new TreeMap<>(Map.of(
            "llama", "{\"mlp_bias\": true, \"attention_bias\": true}",
            "mistral", "{\"sliding_window\": 9}",
            "qwen2", "{\"use_sliding_window\": false}",
            "qwen3", "{\"num_key_value_heads\": 1}",
            "gemma", "{\"tie_word_embeddings\": false}",
            "gemma2", """
            {"sliding_window": 9, "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0, "num_hidden_layers": 2,
             "tie_word_embeddings": false}""",
            "gemma3_text", """
            {"sliding_window": 9, "sliding_window_pattern": 2, "num_hidden_layers": 2, "tie_word_embeddings": false}""",
            "phi3", "{\"partial_rotary_factor\": 0.5}",
            "mixtral", "{\"num_local_experts\": 4, \"num_experts_per_tok\": 2}",
            "qwen3_moe", """
            {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "norm_topk_prob": true,
             "mlp_only_layers": [0], "num_hidden_layers": 2}"""));

    @TempDir
    Path folder;

    private static List<String> families() {
        return List.copyOf(FAMILIES.keySet());
    }

    /** Some features of the residual stream are much larger than others, so that there is something to scale. */
    private Path model(String type, String more, DType dtype) throws IOException {
        ObjectNode config = RandomModel.config(COMMON);
        config.put("model_type", type);
        config.setAll((ObjectNode) new ObjectMapper().readTree(FAMILIES.get(type)));
        config.setAll((ObjectNode) new ObjectMapper().readTree(more));
        RandomModel model = RandomModel.of(config, dtype, 1);
        for (int layer = 0; layer < config.path("num_hidden_layers").intValue(); layer++) {
            for (String norm : List.of("input", "post_attention", "pre_feedforward")) {
                model = uneven(model, "model.layers." + layer + "." + norm + "_layernorm.weight");
            }
        }
        Path written = model.write(Files.createDirectories(folder.resolve("model")));
        for (String file : List.of("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")) {
            Files.copy(TOKENIZER.resolve(file), written.resolve(file));
        }
        return written;
    }

    private static RandomModel uneven(RandomModel model, String name) {
        boolean there =
                model.tensors().stream().anyMatch(tensor -> tensor.name().equals(name));
        if (!there) {
            return model;
        }
        double[] values = model.values(name);
        float[] changed = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            changed[i] = (float) values[i] * (i % 9 == 0 ? 8 : 1) + (i % 9 == 4 ? 3 : 0);
        }
        return model.with(
                name,
                List.of(TestCheckpoints.tensor(
                        name, model.tensor(name).dtype(), model.tensor(name).shape(), changed)));
    }

    private CommandRun quantize(String method, Path model, Path text, Object... more) {
        List<Object> command = new ArrayList<>(List.of(
                method,
                model,
                "--out",
                folder.resolve(method),
                "--calibration",
                text,
                "--group-size",
                "32",
                "--samples",
                "4",
                "--device",
                "host",
                "--json"));
        command.addAll(List.of(more));
        if (method.equals("awq")) {
            command.addAll(FEW_RATIOS);
        }
        return CommandRun.of(command.toArray());
    }

    @ParameterizedTest
    @MethodSource("families")
    void areQuantizedVerifiedAndComputedWith(String type) throws IOException {
        Path model = model(type, "{}", DType.F16);
        Path text = TinyModel.writeText(folder.resolve("text.jsonl"));
        quantize("gptq", model, text).requireDone();
        quantize("awq", model, text).requireDone();
        Path rtn = folder.resolve("rtn");
        CommandRun.of("rtn", model, "--out", rtn, "--group-size", "32", "--device", "host")
                .requireDone();
        CommandRun.of("verify", folder.resolve("gptq"), "--source", model).requireDone();
        CommandRun.of("verify", folder.resolve("awq"), "--source", model).requireDone();
        JsonNode compared = CommandRun.of(
                        "compare",
                        model,
                        folder.resolve("gptq"),
                        folder.resolve("awq"),
                        rtn,
                        "--text",
                        text,
                        "--sequence-length",
                        "32",
                        "--tokens",
                        "128",
                        "--device",
                        "host",
                        "--json")
                .requireDone()
                .json();

        double[] divergences = new double[4];
        for (int i = 0; i < 4; i++) {
            divergences[i] =
                    compared.path("checkpoints").path(i).path("kl_divergence").asDouble();
        }
        // A scale that is not undone where it should be costs many times what rounding does.
        assertThat(divergences[1]).as("GPTQ " + compared).isLessThan(1.2 * divergences[3]);
        assertThat(divergences[2]).as("AWQ " + compared).isLessThan(1.5 * divergences[3]);
        assertThat(scaledGroups()).isPositive();
    }

    private long scaledGroups() {
        long scaled = 0;
        for (JsonNode group : new MadeCheckpoint(folder.resolve("awq"))
                .json("quantization_report.json")
                .path("scales")) {
            scaled += group.path("ratio").isNumber() ? 1 : 0;
        }
        return scaled;
    }

    /** Too few tokens come to some of many experts; routers are left alone by GPTQ, and named where engines look for it. */
    @Test
    void namesExpertsThatSawTooFewTokens() throws IOException {
        Path model = model(
                "mixtral",
                "{\"num_local_experts\": 6, \"num_experts_per_tok\": 1, \"num_hidden_layers\": 1}",
                DType.BF16);
        Path text = TinyModel.writeText(folder.resolve("text.jsonl"));
        for (String method : List.of("gptq", "awq")) {
            JsonNode run = quantize(method, model, text, "--sequence-length", "16")
                    .requireDone()
                    .json();
            requirePlanned(method, model, run);
            JsonNode linears = run.path("linears");
            assertThat(linears).hasSize(4 + 6 * 3);
            int few = 0;
            for (JsonNode linear : linears) {
                String note = linear.path("note").asText();
                if (note.contains("calibration tokens")) {
                    few++;
                    assertThat(linear.path("method").asText()).isEqualTo("rtn");
                    assertThat(linear.path("name").asText()).contains(".experts.");
                    assertThat(note)
                            .matches(
                                    "expert \\d+ saw [0-3] of 64 calibration tokens, fewer than the 4 that its 64 input"
                                            + " features call for; rounded to nearest");
                } else {
                    assertThat(linear.path("method").asText()).isEqualTo(method);
                }
            }
            assertThat(few).as(method).isBetween(3, 15);
        }
        String router = "model.layers.0.block_sparse_moe.gate.weight";
        MadeCheckpoint gptq = new MadeCheckpoint(folder.resolve("gptq"));
        assertThat(gptq.content(router)).isEqualTo(new MadeCheckpoint(model).content(router));
        assertThat(gptq.quantizationConfig().path("dynamic").toString())
                .isEqualTo("{\"-:^model\\\\.layers\\\\.0\\\\.block_sparse_moe\\\\.gate$\":{}}");
        assertThat(gptq.quantizationConfig().path("modules_in_block_to_quantize"))
                .hasSize(4)
                .anySatisfy(stage -> assertThat(stage.toString())
                        .startsWith("[\"block_sparse_moe.experts.0.w1\",\"block_sparse_moe.experts.0.w3\",")
                        .doesNotContain("gate"));
        assertThat(new MadeCheckpoint(folder.resolve("awq"))
                        .quantizationConfig()
                        .path("modules_to_not_convert")
                        .toString())
                .isEqualTo("[\"model.layers.0.block_sparse_moe.gate\"]");
    }

    @Test
    void refusesExpertsInOneTensor() throws IOException {
        ObjectNode config = RandomModel.config(COMMON);
        config.put("model_type", "mixtral").put("num_local_experts", 2).put("num_experts_per_tok", 1);
        RandomModel model = RandomModel.of(config, DType.F16, 1);
        String gone = "model.layers.0.block_sparse_moe.experts.1.w1.weight";
        String stacked = "model.layers.0.mlp.experts.gate_up_proj";
        Path written = model.with(
                        gone, List.of(TestCheckpoints.tensor(stacked, DType.F16, Shape.of(2, 1, 2), 1f, 2f, 3f, 4f)))
                .write(Files.createDirectories(folder.resolve("stacked")));

        CommandRun.of("gptq", written, "--device", "host", "--group-size", "32")
                .requireRefused(3, stacked, "all experts of a layer in one tensor", "one tensor for each expert");
    }

    /** Whatever the router decides: buffers are as large as if all tokens of a chunk came to one expert. */
    private static void requirePlanned(String method, Path model, JsonNode run) {
        JsonNode plan = CommandRun.of(
                        "plan",
                        model,
                        "--method",
                        method,
                        "--group-size",
                        "32",
                        "--samples",
                        "4",
                        "--sequence-length",
                        "16",
                        "--device",
                        "host",
                        "--json")
                .requireDone()
                .json();
        long held = run.path("peak_device_bytes").asLong();
        assertThat(plan.path("peak_device_bytes").asLong())
                .as(method)
                .isGreaterThanOrEqualTo(held)
                .isLessThanOrEqualTo(held * 11 / 10);
    }

    @Test
    void leaveTheSameBytesTwice() throws IOException {
        Path model = model("mixtral", "{}", DType.F16);
        Path text = TinyModel.writeText(folder.resolve("text.jsonl"));
        quantize("awq", model, text).requireDone();
        Map<String, String> first = new MadeCheckpoint(folder.resolve("awq")).files();
        quantize("awq", model, text, "--overwrite", "--threads", "1").requireDone();

        assertThat(new MadeCheckpoint(folder.resolve("awq")).files()).isEqualTo(first);
    }
}
