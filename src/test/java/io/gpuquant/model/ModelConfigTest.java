package io.gpuquant.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.util.RawValue;
import io.gpuquant.InputException;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ModelConfigTest {

    /** What every Llama checkpoint states; all else has a default. */
    private static final String MINIMAL = """
            {"model_type": "llama", "hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 4,
             "num_attention_heads": 4, "vocab_size": 1024, "rms_norm_eps": 1e-05, "max_position_embeddings": 2048}""";

    @TempDir
    Path folder;

    @Test
    void readsTheDemoModel() {
        ModelConfig config = ModelConfig.read(Path.of("datasets/demo-llama"));

        assertThat(config.family()).isEqualTo(ModelFamily.named("llama").orElseThrow());
        assertThat(config.hiddenSize()).isEqualTo(256);
        assertThat(config.intermediateSize()).isEqualTo(768);
        assertThat(config.numHiddenLayers()).isEqualTo(4);
        assertThat(config.numAttentionHeads()).isEqualTo(4);
        assertThat(config.numKeyValueHeads()).isEqualTo(2);
        assertThat(config.headDim()).isEqualTo(64);
        assertThat(config.vocabSize()).isEqualTo(1024);
        assertThat(config.rmsNormEps()).isEqualTo(1e-5);
        assertThat(config.maxPositionEmbeddings()).isEqualTo(2048);
        assertThat(config.tieWordEmbeddings()).isFalse();
        assertThat(config.activation()).isEqualTo(Activation.SILU);
        assertThat(config.dtype()).contains(DType.F16);
        assertThat(config.rope()).isEqualTo(new RopeParameters(10_000, new RopeScaling.None()));
        assertThat(config.quantizationConfig()).isEmpty();
        assertThat(config.queryWidth()).isEqualTo(256);
        assertThat(config.keyValueWidth()).isEqualTo(128);
        assertThat(config.queriesPerKeyValueHead()).isEqualTo(2);
    }

    @Test
    void fillsInWhatACheckpointMayLeaveOut() throws IOException {
        ModelConfig config = read(MINIMAL);

        assertThat(config.numKeyValueHeads()).isEqualTo(4);
        assertThat(config.headDim()).isEqualTo(64);
        assertThat(config.attentionBias()).isFalse();
        assertThat(config.mlpBias()).isFalse();
        assertThat(config.tieWordEmbeddings()).isFalse();
        assertThat(config.activation()).isEqualTo(Activation.SILU);
        assertThat(config.dtype()).isEmpty();
        assertThat(config.rope()).isEqualTo(new RopeParameters(10_000, new RopeScaling.None()));
    }

    @Test
    void takesNullForAbsent() throws IOException {
        ModelConfig config = read(with("head_dim", "null", "num_key_value_heads", "null", "rope_scaling", "null"));

        assertThat(config.headDim()).isEqualTo(64);
        assertThat(config.numKeyValueHeads()).isEqualTo(4);
    }

    @Test
    void readsFlagsAndTypes() throws IOException {
        ModelConfig config = read(with(
                "attention_bias",
                "true",
                "mlp_bias",
                "true",
                "tie_word_embeddings",
                "true",
                "hidden_act",
                "\"swish\"",
                "head_dim",
                "128",
                "dtype",
                "\"bfloat16\""));

        assertThat(config.attentionBias()).isTrue();
        assertThat(config.mlpBias()).isTrue();
        assertThat(config.tieWordEmbeddings()).isTrue();
        assertThat(config.activation()).isEqualTo(Activation.SILU);
        assertThat(config.queryWidth()).isEqualTo(512);
        assertThat(config.dtype()).contains(DType.BF16);
    }

    @Test
    void handsOutCopiesOfTheFile() throws IOException {
        ModelConfig config = read(with("quantization_config", "{\"bits\": 4}", "unknown_key", "[1, 2]"));

        assertThat(config.raw().path("unknown_key")).hasSize(2);
        config.raw().removeAll();
        config.quantizationConfig().orElseThrow().removeAll();

        assertThat(config.raw().path("hidden_size").intValue()).isEqualTo(256);
        assertThat(config.quantizationConfig())
                .map(quantization -> quantization.path("bits").intValue())
                .isEqualTo(Optional.of(4));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "model_type",
                "hidden_size",
                "intermediate_size",
                "num_hidden_layers",
                "num_attention_heads",
                "vocab_size",
                "rms_norm_eps",
                "max_position_embeddings"
            })
    void namesAMissingKey(String key) throws IOException {
        ObjectNode json = json(MINIMAL);
        json.remove(key);

        refuses(json.toString(), "\"" + key + "\" is missing");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "hidden_size         | \"big\" | is \"big\", not a positive whole number",
                "hidden_size         | 256.0   | is 256.0, not a positive whole number",
                "hidden_size         | 0       | is 0, not a positive whole number",
                "num_hidden_layers   | -1      | is -1, not a positive whole number",
                "vocab_size          | 4294967296 | is 4294967296, not a positive whole number below 2^31",
                "num_key_value_heads | [2]     | is [2], not a positive whole number",
                "rms_norm_eps        | \"1e-5\" | is \"1e-5\", not a positive number",
                "rms_norm_eps        | 0       | is 0, not a positive number",
                "rms_norm_eps        | 1e999   | not a positive number",
                "tie_word_embeddings | \"yes\" | is \"yes\", not true or false",
                "hidden_act          | 3       | is 3, not a string",
                "rope_scaling        | 2.0     | is 2.0, not a JSON object",
                "quantization_config | \"gptq\" | is \"gptq\", not a JSON object",
                "num_key_value_heads | 3       | is 3, which does not divide num_attention_heads 4",
                "num_attention_heads | 5       | is 5, which does not divide hidden_size 256, and there is no head_dim",
                "head_dim            | 63      | is 63, which is odd",
                "num_hidden_layers   | 1000000000 | is 1000000000, more than the 10000 that are supported",
                "hidden_size         | 2147483647 | is 2147483647, more than the 1048576 that are supported",
                "intermediate_size   | 1048577    | is 1048577, more than the 1048576 that are supported",
                "num_attention_heads | 2147483647 | is 2147483647, more than the 1048576 that are supported",
                "vocab_size          | 2147483647 | is 2147483647, more than the 16777216 that are supported",
                "head_dim            | 1000000000 | \"num_attention_heads\" times head_dim is 4000000000, more than the 1048576",
                "hidden_act          | \"relu\" | is \"relu\", which is not supported for model type llama; use a model with one of these activations: silu, swish",
                "model_type          | \"llava\" | is \"llava\", which is not supported; use a model of one of these types: llama, mistral, qwen2, qwen3, gemma, gemma2, gemma3_text, phi3, mixtral, qwen3_moe",
                "vision_config       | {}      | \"model_type\" is \"llama\" with a vision_config, and models that take more than text are not supported; use a model of one of these types: llama",
                "torch_dtype         | \"float8_e4m3fn\" | is \"float8_e4m3fn\", which is not supported",
            })
    void namesAWrongValue(String key, String value, String message) throws IOException {
        refuses(with(key, value), message);
    }

    /** Sums and products of these sizes must fit an int. */
    @Test
    void takesTheLargestSizes() throws IOException {
        ModelConfig config = read(with(
                "num_hidden_layers",
                "10000",
                "hidden_size",
                "1048576",
                "intermediate_size",
                "1048576",
                "num_attention_heads",
                "1024",
                "head_dim",
                "1024",
                "vocab_size",
                "16777216",
                "max_position_embeddings",
                "2147483647"));

        ModelStructure structure = ModelStructure.of(config);
        assertThat(structure.layers()).hasSize(10_000);
        assertThat(structure.layers().getFirst().stages())
                .extracting(Stage::out)
                .allSatisfy(out -> assertThat(out).isBetween(1 << 20, 3 << 20));
    }

    @Test
    void showsNoControlCharactersAndNoEndlessValues() {
        assertThatThrownBy(() -> read(with("model_type", "\"\\u001b[2J\\nllama" + "x".repeat(500) + "\"")))
                .isInstanceOf(InputException.class)
                .satisfies(thrown -> assertThat(thrown.getMessage())
                        .doesNotContain("\u001b", "\n")
                        .hasSizeLessThan(400));
    }

    @Test
    void refusesTwoElementTypes() throws IOException {
        refuses(with("dtype", "\"float16\"", "torch_dtype", "\"bfloat16\""), "\"torch_dtype\" disagrees with dtype");
        assertThat(read(with("dtype", "\"float16\"", "torch_dtype", "\"float16\""))
                        .dtype())
                .contains(DType.F16);
    }

    @Test
    void refusesWhatIsNoJsonObject() {
        refuses("[1, 2]", "config.json holds no JSON object");
        refuses("", "config.json holds no JSON object");
        refuses("{\n \"hidden_size\": 256,,}", "config.json is not valid JSON (line 2, column");
        refuses(MINIMAL + "}", "config.json is not valid JSON (line");
        refuses("nonsense", "config.json is not valid JSON (line 1");
    }

    @Test
    void refusesAFolderWithoutAConfiguration() throws IOException {
        Path file = Files.writeString(folder.resolve("model.safetensors"), "x");

        refusesFolder(folder, "has no file config.json");
        refusesFolder(folder.resolve("nowhere"), "does not exist");
        refusesFolder(file, "is a file, not a folder");
        Files.createDirectory(folder.resolve("config.json"));
        refusesFolder(folder, "has no file config.json");
    }

    @Test
    void refusesAConfigurationThatCannotBeRead() throws IOException {
        // The only file that fails to be read whoever reads it: its first page is never mapped.
        Path unreadable = Path.of("/proc/self/mem");
        assumeTrue(Files.exists(unreadable));
        Path link = Files.createSymbolicLink(folder.resolve("config.json"), unreadable);

        refusesFolder(folder, "config.json cannot be read");
        Files.delete(link);
    }

    @Test
    void refusesAFamilyWithoutAnActivation() {
        assertThatThrownBy(() -> new ModelFamily(
                        "x",
                        TensorNames.LLAMA,
                        List.of(),
                        ModelFamily.Defaults.of(1),
                        WindowRule.NONE,
                        Set.of(),
                        Optional.empty()))
                .isInstanceOf(IllegalArgumentException.class);
    }

    private ModelConfig read(String json) throws IOException {
        Files.writeString(folder.resolve("config.json"), json);
        return ModelConfig.read(folder);
    }

    private void refuses(String json, String message) {
        assertThatThrownBy(() -> read(json))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(folder.resolve("config.json").toString())
                .hasMessageContaining(message);
    }

    private static void refusesFolder(Path path, String message) {
        assertThatThrownBy(() -> ModelConfig.read(path))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(path.toString())
                .hasMessageContaining(message);
    }

    /** The minimal configuration with these keys set to these JSON values. */
    private static String with(String... keysAndValues) throws JsonProcessingException {
        ObjectNode config = json(MINIMAL);
        for (int i = 0; i < keysAndValues.length; i += 2) {
            // As text, so that the file has the value as it is written here.
            config.putRawValue(keysAndValues[i], new RawValue(keysAndValues[i + 1]));
        }
        return config.toString();
    }

    private static ObjectNode json(String text) throws JsonProcessingException {
        return (ObjectNode) new ObjectMapper().readTree(text);
    }
}
