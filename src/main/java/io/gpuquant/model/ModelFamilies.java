package io.gpuquant.model;

import io.gpuquant.model.ModelFamily.Defaults;
import io.gpuquant.model.ModelFamily.Trait;
import io.gpuquant.model.TensorNames.Norms;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** The families that are supported. Facts are those of transformers' configuration and modeling files of the same names. */
final class ModelFamilies {

    private static final List<Activation> SILU = List.of(Activation.SILU);
    private static final List<Activation> GELU = List.of(Activation.GELU_TANH);

    private static final ModelFamily LLAMA = new ModelFamily(
            "llama",
            TensorNames.LLAMA,
            SILU,
            Defaults.of(10_000),
            WindowRule.NONE,
            Set.of(Trait.ATTENTION_BIAS_OPTION, Trait.MLP_BIAS_OPTION),
            Optional.empty());

    private static final ModelFamily MISTRAL = new ModelFamily(
            "mistral",
            TensorNames.LLAMA,
            SILU,
            Defaults.of(10_000),
            new WindowRule(WindowRule.Layers.ALL, false, 4096),
            Set.of(),
            Optional.empty());

    private static final ModelFamily QWEN2 = new ModelFamily(
            "qwen2",
            TensorNames.LLAMA,
            SILU,
            Defaults.of(10_000),
            new WindowRule(WindowRule.Layers.UPPER, true, 4096),
            Set.of(Trait.QUERY_KEY_VALUE_BIAS),
            Optional.empty());

    private static final ModelFamily QWEN3 = new ModelFamily(
            "qwen3",
            TensorNames.LLAMA.withNorms(Norms.TWO.withQueryAndKey()),
            SILU,
            Defaults.of(10_000, 128),
            new WindowRule(WindowRule.Layers.UPPER, true, 4096),
            Set.of(Trait.ATTENTION_BIAS_OPTION),
            Optional.empty());

    /** Its configuration had no key {@code hidden_activation} at first; the tanh formula was meant all the same. */
    private static final ModelFamily GEMMA = new ModelFamily(
            "gemma",
            TensorNames.LLAMA,
            GELU,
            Defaults.of(10_000, 256),
            WindowRule.NONE,
            Set.of(
                    Trait.ATTENTION_BIAS_OPTION,
                    Trait.NORMS_ADD_ONE,
                    Trait.SCALED_EMBEDDING,
                    Trait.TIED_HEAD,
                    Trait.HIDDEN_ACTIVATION_KEY),
            Optional.empty());

    private static final ModelFamily GEMMA2 = new ModelFamily(
            "gemma2",
            TensorNames.LLAMA.withNorms(Norms.FOUR),
            GELU,
            Defaults.of(10_000, 256),
            new WindowRule(WindowRule.Layers.ALTERNATING, false, 4096),
            Set.of(
                    Trait.ATTENTION_BIAS_OPTION,
                    Trait.NORMS_ADD_ONE,
                    Trait.SCALED_EMBEDDING,
                    Trait.TIED_HEAD,
                    Trait.HIDDEN_ACTIVATION_KEY,
                    Trait.QUERY_SCALAR,
                    Trait.SOFT_CAPS),
            Optional.empty());

    private static final ModelFamily GEMMA3 = new ModelFamily(
            "gemma3_text",
            TensorNames.LLAMA.withNorms(Norms.FOUR.withQueryAndKey()),
            GELU,
            Defaults.of(1_000_000, 256),
            new WindowRule(WindowRule.Layers.ALL_BUT_ONE_IN_SIX, false, 4096),
            Set.of(
                    Trait.ATTENTION_BIAS_OPTION,
                    Trait.NORMS_ADD_ONE,
                    Trait.SCALED_EMBEDDING,
                    Trait.TIED_HEAD,
                    Trait.HIDDEN_ACTIVATION_KEY,
                    Trait.QUERY_SCALAR,
                    Trait.SOFT_CAPS,
                    Trait.LOCAL_ROPE),
            Optional.empty());

    private static final ModelFamily PHI3 = new ModelFamily(
            "phi3",
            TensorNames.LLAMA.withFused("self_attn.qkv_proj", "mlp.gate_up_proj"),
            SILU,
            Defaults.of(10_000),
            new WindowRule(WindowRule.Layers.ALL, false, 0),
            Set.of(Trait.PARTIAL_ROTARY),
            Optional.empty());

    private static final ModelFamily MIXTRAL = new ModelFamily(
            "mixtral",
            TensorNames.LLAMA,
            SILU,
            Defaults.of(1_000_000),
            new WindowRule(WindowRule.Layers.ALL, false, 0),
            Set.of(),
            Optional.of(ExpertNames.MIXTRAL));

    private static final ModelFamily QWEN3_MOE = new ModelFamily(
            "qwen3_moe",
            TensorNames.LLAMA.withNorms(Norms.TWO.withQueryAndKey()),
            SILU,
            Defaults.of(10_000),
            new WindowRule(WindowRule.Layers.ALL, true, 4096),
            Set.of(Trait.ATTENTION_BIAS_OPTION),
            Optional.of(ExpertNames.QWEN));

    static final List<ModelFamily> ALL =
            List.of(LLAMA, MISTRAL, QWEN2, QWEN3, GEMMA, GEMMA2, GEMMA3, PHI3, MIXTRAL, QWEN3_MOE);

    private ModelFamilies() {}
}
