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
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A model of each family written as GGUF and read back computes what the checkpoint does. */
class GgufFamiliesTest {

    private static final Path TOKENIZER = Path.of("datasets/demo-llama");

    private static final String COMMON = """
            {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 32,
             "vocab_size": 1024, "max_position_embeddings": 64, "bos_token_id": 0, "torch_dtype": "float16"}""";

    private static final String FACTORS = "[1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7]";

    /** What makes a checkpoint, by its model type and what is special in it. */
    private static final Map<String, String> MODELS = new TreeMap<>(Map.ofEntries(
            Map.entry("llama", "{\"mlp_bias\": true, \"attention_bias\": true}"),
            Map.entry("llama stretched", """
                    {"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                     "high_freq_factor": 4.0, "original_max_position_embeddings": 16}}"""),
            Map.entry(
                    "mistral", "{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}, \"sliding_window\": null}"),
            Map.entry("qwen2", "{\"use_sliding_window\": false, \"tie_word_embeddings\": true}"),
            Map.entry("qwen3", "{\"head_dim\": 16}"),
            Map.entry("gemma", "{}"),
            Map.entry(
                    "gemma2",
                    "{\"sliding_window\": 9, \"attn_logit_softcapping\": 5.0, \"final_logit_softcapping\": 3.0,"
                            + " \"query_pre_attn_scalar\": 32}"),
            Map.entry(
                    "gemma3_text", "{\"sliding_window\": 9, \"query_pre_attn_scalar\": 32, \"num_hidden_layers\": 7}"),
            Map.entry("phi3", "{\"partial_rotary_factor\": 0.5, \"sliding_window\": 20}"),
            Map.entry("phi3 stretched", """
                    {"partial_rotary_factor": 0.5, "original_max_position_embeddings": 32, "sliding_window": null,
                     "rope_scaling": {"type": "longrope", "short_factor": %s, "long_factor": %s}}""".formatted(FACTORS, FACTORS.replace("1.", "2."))),
            Map.entry("mixtral", "{\"num_local_experts\": 4, \"num_experts_per_tok\": 2, \"sliding_window\": null}"),
            Map.entry(
                    "qwen3_moe",
                    "{\"num_experts\": 4, \"num_experts_per_tok\": 2, \"moe_intermediate_size\": 32,"
                            + " \"norm_topk_prob\": true}")));

    @TempDir
    Path folder;

    static List<String> models() {
        return List.copyOf(MODELS.keySet());
    }

    @ParameterizedTest
    @MethodSource("models")
    void areComputedFromGgufAsFromTheCheckpoint(String name) throws IOException {
        Path model = model(name);
        Path text = TinyModel.writeText(folder.resolve("text.jsonl"));
        Path plain = folder.resolve("plain.gguf");
        Path blocks = folder.resolve("blocks.gguf");
        CommandRun.of("gguf", model, "--type", "F32", "--out", plain, "--device", "host")
                .requireDone();
        CommandRun.of("gguf", model, "--type", "Q8_0", "--out", blocks, "--device", "host")
                .requireDone();
        CommandRun.of("verify", plain, "--source", model).requireDone();
        CommandRun.of("verify", blocks, "--source", model).requireDone();

        JsonNode models = CommandRun.of(
                        "compare",
                        model,
                        plain,
                        blocks,
                        "--text",
                        text,
                        "--sequence-length",
                        "48",
                        "--tokens",
                        "96",
                        "--device",
                        "host",
                        "--json")
                .requireDone()
                .json()
                .path("checkpoints");

        assertThat(error(models.path(1))).as("F32").isLessThan(1e-10);
        // A token that comes to another expert because of a rounding costs more than the rounding.
        assertThat(error(models.path(2))).as("Q8_0").isBetween(1e-8, name.endsWith("moe") ? 0.02 : 1e-3);
    }

    /** Weights of float16 that were written as they are come back bit for bit, but for norms that had one added. */
    @ParameterizedTest
    @MethodSource("models")
    void comeBackFromGguf(String name) throws IOException {
        Path model = model(name);
        Path file = folder.resolve("half.gguf");
        Path back = folder.resolve("half-safetensors");
        CommandRun.of("gguf", model, "--type", "F16", "--out", file, "--device", "host")
                .requireDone();
        CommandRun.of("convert", file, "--to", "safetensors", "--tokenizer", model)
                .requireDone();

        MadeCheckpoint source = new MadeCheckpoint(model);
        MadeCheckpoint made = new MadeCheckpoint(back);
        assertThat(made.names()).containsExactlyInAnyOrderElementsOf(source.names());
        for (String tensor : source.names()) {
            if (name.startsWith("gemma") && tensor.contains("norm")) {
                assertThat(made.values(tensor))
                        .usingComparatorWithPrecision(1e-3f)
                        .containsExactly(source.values(tensor));
            } else {
                assertThat(made.content(tensor)).as(tensor).isEqualTo(source.content(tensor));
            }
        }
        assertThat(back.resolve("tokenizer.json")).hasSameBinaryContentAs(model.resolve("tokenizer.json"));
        JsonNode config = made.json("config.json");
        for (String key :
                List.of("hidden_size", "intermediate_size", "num_key_value_heads", "vocab_size", "head_dim")) {
            assertThat(config.path(key))
                    .as(key)
                    .isEqualTo(source.json("config.json").path(key));
        }
        Path text = TinyModel.writeText(folder.resolve("text.jsonl"));
        JsonNode models = CommandRun.of(
                        "compare",
                        model,
                        back,
                        "--text",
                        text,
                        "--sequence-length",
                        "48",
                        "--tokens",
                        "48",
                        "--device",
                        "host",
                        "--json")
                .requireDone()
                .json()
                .path("checkpoints");
        assertThat(error(models.path(1))).isLessThan(1e-6);
    }

    /** As llama.cpp's converter does, which knows such checkpoints. */
    @Test
    void rowsOfGemmasEmbeddingBehindTheVocabularyAreLeftOut() throws IOException {
        Path larger = model("gemma3_text");
        JsonNode config = new MadeCheckpoint(larger).json("config.json");
        int rows = config.path("vocab_size").asInt();
        Path plain = folder.resolve("plain.gguf");
        CommandRun.of("gguf", larger, "--type", "F16", "--out", plain, "--device", "host")
                .requireDone();
        RandomModel model = RandomModel.of((ObjectNode) config, DType.F16, 1);
        String name = "model.embed_tokens.weight";
        double[] values = model.values(name);
        int width = config.path("hidden_size").asInt();
        float[] more = new float[values.length + 3 * width];
        for (int i = 0; i < more.length; i++) {
            more[i] = i < values.length ? (float) values[i] : 7;
        }
        model.with(name, List.of(TestCheckpoints.tensor(name, DType.F16, Shape.of(rows + 3, width), more)))
                .write(larger);

        Path cut = folder.resolve("cut.gguf");
        CommandRun run = CommandRun.of("gguf", larger, "--type", "F16", "--out", cut, "--device", "host");
        assertThat(run.requireDone().err())
                .contains("the embedding has " + (rows + 3) + " rows for " + rows
                        + " tokens (vocab_size in config.json)");
        assertThat(cut).hasSameBinaryContentAs(plain);
        CommandRun.of("verify", cut, "--source", larger).requireDone();
        CommandRun.of("gptq", larger, "--group-size", 32, "--device", "host").requireRefused(3, name + " has shape");
    }

    /** How far the residual stream is from the checkpoint's where it is farthest. */
    private static double error(JsonNode model) {
        double most = 0;
        for (JsonNode layer : model.path("layer_output_error")) {
            most = Math.max(most, layer.asDouble(1));
        }
        assertThat(model.path("layer_output_error")).isNotEmpty();
        return most;
    }

    private Path model(String name) throws IOException {
        ObjectNode config = RandomModel.config(COMMON);
        config.put("model_type", name.split(" ")[0]);
        config.setAll((ObjectNode) new ObjectMapper().readTree(MODELS.get(name)));
        Path written = RandomModel.of(config, DType.F16, 1).write(Files.createDirectories(folder.resolve("model")));
        for (String file : List.of("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")) {
            Files.copy(TOKENIZER.resolve(file), written.resolve(file));
        }
        return written;
    }
}
