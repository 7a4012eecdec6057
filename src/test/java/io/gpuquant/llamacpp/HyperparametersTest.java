package io.gpuquant.llamacpp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.gguf.FileType;
import io.gpuquant.gguf.GgufValue;
import io.gpuquant.llamacpp.TensorRecipe.Content;
import io.gpuquant.model.ModelConfig;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Metadata of families, by the keys that llama.cpp's loader asks for. That of the demo model is compared elsewhere as a whole. */
class HyperparametersTest {

    private static final Path GOLDENS = Path.of("src/test/resources/goldens/models");

    private static ModelConfig config(String golden, Consumer<ObjectNode> change) {
        ModelConfig config = ModelConfig.read(GOLDENS.resolve(golden));
        ObjectNode raw = config.raw();
        change.accept(raw);
        return ModelConfig.of(raw, GOLDENS.resolve(golden));
    }

    private static Map<String, GgufValue> read(ModelConfig config) {
        return Hyperparameters.read(config, "some-folder", FileType.Q4_K_M, List.of());
    }

    @ParameterizedTest
    @CsvSource({
        "llama, llama.rope.dimension_count, 32",
        "llama, llama.vocab_size, 256",
        "mistral, llama.attention.head_count_kv, 2",
        "mixtral, llama.expert_used_count, 2",
        "qwen2, qwen2.attention.head_count, 4",
        "qwen3, qwen3.attention.key_length, 64",
        "qwen3, general.file_type, 15",
        "qwen3-moe, qwen3moe.expert_used_count, 2",
        "gemma, gemma.attention.value_length, 64",
        "gemma2, gemma2.attention.sliding_window, 16",
        "gemma3, gemma3.attention.sliding_window, 16",
        "phi3, phi3.attention.sliding_window, 0",
        "phi3, phi3.rope.dimension_count, 32"
    })
    void countsAreUnsigned32(String golden, String key, long value) {
        assertThat(read(config(golden, raw -> {}))).containsEntry(key, GgufValue.count(value));
    }

    @Test
    void realsAreThoseOfTheFamily() {
        Map<String, GgufValue> gemma2 = read(
                config("gemma2", raw -> raw.put("attn_logit_softcapping", 50.0).put("final_logit_softcapping", 30.0)));
        assertThat(gemma2)
                .containsEntry("gemma2.attn_logit_softcapping", GgufValue.real(50))
                .containsEntry("gemma2.final_logit_softcapping", GgufValue.real(30));
        assertThat(read(config("gemma3", raw -> {})))
                .containsEntry("gemma3.rope.freq_base", GgufValue.real(1_000_000))
                .containsEntry("gemma3.rope.freq_base_swa", GgufValue.real(10_000));
        Map<String, GgufValue> linear = read(config(
                "llama",
                raw -> raw.withObject("/rope_parameters")
                        .put("rope_type", "linear")
                        .put("factor", 4.0)));
        assertThat(linear)
                .containsEntry("llama.rope.scaling.type", GgufValue.text("linear"))
                .containsEntry("llama.rope.scaling.factor", GgufValue.real(4));
        assertThat(linear).containsEntry("general.name", GgufValue.text("Some Folder"));
    }

    @Test
    void yarnIsWhatLlamaCppMakesOfItsKeys() {
        assertThat(read(yarn(rope -> {})))
                .containsEntry("llama.rope.scaling.type", GgufValue.text("yarn"))
                .containsEntry("llama.rope.scaling.factor", GgufValue.real(4))
                .containsEntry("llama.rope.scaling.original_context_length", GgufValue.count(128))
                .containsEntry("llama.rope.scaling.yarn_beta_fast", GgufValue.real(32))
                .doesNotContainKey("llama.rope.scaling.attn_factor");
        assertThat(read(yarn(rope -> rope.put("attention_factor", 1.0))))
                .containsEntry("llama.rope.scaling.attn_factor", GgufValue.real((float) (1 / (0.1 * Math.log(4) + 1))));
        assertThatThrownBy(() -> read(yarn(rope -> rope.put("truncate", false))))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("truncate");
    }

    private static ModelConfig yarn(Consumer<ObjectNode> change) {
        return config(
                "llama",
                raw -> change.accept(raw.withObject("/rope_parameters")
                        .put("rope_type", "yarn")
                        .put("factor", 4.0)
                        .put("original_max_position_embeddings", 128)));
    }

    @Test
    void whatLlamaCppWouldComputeOtherwiseIsRefused() {
        assertThatThrownBy(() -> read(config("gemma2", raw -> raw.put("query_pre_attn_scalar", 99))))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("query_pre_attn_scalar is 99");
        assertThatThrownBy(() -> read(
                        config("gemma3", raw -> raw.withArray("layer_types").set(1, "full_attention"))))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("layer 1");
        assertThatThrownBy(() -> read(config("qwen3-moe", raw -> raw.put("norm_topk_prob", false))))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("norm_topk_prob");
        assertThatThrownBy(() -> read(config(
                        "qwen3-moe", raw -> raw.putArray("mlp_only_layers").add(1))))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("layer 1");
        assertThatThrownBy(() -> read(config("qwen3", raw -> raw.put("attention_bias", true))))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("biases");
    }

    @Test
    void windowsThatLlamaCppDoesNotHaveAreSaid() {
        assertThat(Hyperparameters.warnings(config("mistral", raw -> {}))).hasSize(1);
        assertThat(Hyperparameters.warnings(config("llama", raw -> {}))).isEmpty();
        assertThat(Hyperparameters.warnings(config("gemma2", raw -> {}))).isEmpty();
    }

    /** The divisors of Llama 3, by the formula of transformers. */
    @Test
    void frequenciesOfLlama3AreDividedByATensor() {
        TensorRecipe recipe = RopeFactors.of(config("llama3-rope", raw -> {})).getFirst();
        assertThat(recipe.name()).isEqualTo("rope_freqs.weight");
        assertThat(recipe.extents()).containsExactly(16L);
        List<Float> factors = ((Content.Computed) recipe.content()).values();
        for (int i = 0; i < 16; i++) {
            double frequency = Math.pow(500_000, -2.0 * i / 32);
            double wavelength = 2 * Math.PI / frequency;
            double smooth = (64 / wavelength - 1) / (4 - 1);
            double scaled = wavelength < 64 / 4.0
                    ? frequency
                    : wavelength > 64 / 1.0 ? frequency / 8 : (1 - smooth) * frequency / 8 + smooth * frequency;
            assertThat((double) factors.get(i)).isCloseTo(frequency / scaled, within(1e-5));
        }
    }

    @Test
    void longRopeHasTwoTensors() {
        ModelConfig config = config("phi3", raw -> {
            raw.remove("rope_parameters");
            ObjectNode scaling = raw.put("original_max_position_embeddings", 16).putObject("rope_scaling");
            scaling.put("type", "longrope");
            for (int i = 0; i < 16; i++) {
                scaling.withArray("short_factor").add(1 + i / 8.0);
                scaling.withArray("long_factor").add(2 + i);
            }
        });

        List<TensorRecipe> recipes = RopeFactors.of(config);
        assertThat(recipes)
                .extracting(TensorRecipe::name)
                .containsExactly("rope_factors_long.weight", "rope_factors_short.weight");
        assertThat(((Content.Computed) recipes.getFirst().content()).values()).startsWith(2f, 3f, 4f);
        int positions = config.maxPositionEmbeddings();
        double magnitude = Math.sqrt(1 + Math.log(positions / 16.0) / Math.log(16));
        assertThat(read(config))
                .containsEntry("phi3.rope.scaling.original_context_length", GgufValue.count(16))
                .containsEntry("phi3.rope.scaling.attn_factor", GgufValue.real((float) magnitude));
    }
}
