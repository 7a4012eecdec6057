package io.gpuquant.model;

import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What is common to all checkpoints of one {@code model_type}. A family is an entry of a table, not a class;
 * docs/adding-a-model-family.md shows how one is added.
 *
 * @param modelType the {@code model_type} in config.json
 * @param names what the tensors are called
 * @param activations the functions that config.json may name, the default first
 * @param defaults what holds where config.json is silent
 * @param windows which layers attend to a sliding window
 * @param traits what else is not as in Llama
 * @param experts what the experts are called; empty for a family without
 */
public record ModelFamily(
        String modelType,
        TensorNames names,
        List<Activation> activations,
        Defaults defaults,
        WindowRule windows,
        Set<Trait> traits,
        Optional<ExpertNames> experts) {

    /**
     * What holds where config.json is silent.
     *
     * @param ropeTheta the base of the rotary embedding
     * @param headDim empty for the hidden size divided among the heads
     */
    public record Defaults(double ropeTheta, OptionalInt headDim) {

        static Defaults of(double ropeTheta) {
            return new Defaults(ropeTheta, OptionalInt.empty());
        }

        static Defaults of(double ropeTheta, int headDim) {
            return new Defaults(ropeTheta, OptionalInt.of(headDim));
        }
    }

    /** A property that some families have. */
    public enum Trait {
        /** {@code attention_bias} gives all linears of the attention biases. */
        ATTENTION_BIAS_OPTION,
        /** {@code mlp_bias} gives the linears of the MLP biases. */
        MLP_BIAS_OPTION,
        /** Queries, keys and values always have biases, the output projection never. */
        QUERY_KEY_VALUE_BIAS,
        /** Norms multiply by one more than their weight. */
        NORMS_ADD_ONE,
        /** The embedding is multiplied by the square root of the hidden size, rounded to the type of the embedding. */
        SCALED_EMBEDDING,
        /** The output head is the embedding unless config.json says otherwise. */
        TIED_HEAD,
        /** The activation stands under {@code hidden_activation}. */
        HIDDEN_ACTIVATION_KEY,
        /** Scores are divided by the square root of {@code query_pre_attn_scalar}, not of the head dimension. */
        QUERY_SCALAR,
        /** {@code attn_logit_softcapping} and {@code final_logit_softcapping} bound scores and logits. */
        SOFT_CAPS,
        /** Layers with a window have a rotary embedding of their own. */
        LOCAL_ROPE,
        /** {@code partial_rotary_factor} may leave a part of each head as it is. */
        PARTIAL_ROTARY
    }

    public ModelFamily {
        activations = List.copyOf(activations);
        traits = Set.copyOf(traits);
        if (activations.isEmpty()) {
            throw new IllegalArgumentException(modelType + " has no activation");
        }
    }

    /** The family with this {@code model_type}. */
    public static Optional<ModelFamily> named(String modelType) {
        return ModelFamilies.ALL.stream()
                .filter(family -> family.modelType.equals(modelType))
                .findFirst();
    }

    /** Whether the family has a property. */
    public boolean has(Trait trait) {
        return traits.contains(trait);
    }

    /** What the weights of its norms stand for. */
    NormFlavour normFlavour() {
        return has(Trait.NORMS_ADD_ONE) ? NormFlavour.ONE_PLUS_WEIGHT : NormFlavour.WEIGHT;
    }

    /** The key of config.json with the activation. */
    String activationKey() {
        return has(Trait.HIDDEN_ACTIVATION_KEY) ? "hidden_activation" : "hidden_act";
    }

    /** The names that the activation may have, for a message. */
    String activationNames() {
        return activations.stream()
                .flatMap(activation -> activation.names().stream())
                .collect(Collectors.joining(", "));
    }

    /** The known {@code model_type}s, for a message. */
    static String supportedTypes() {
        return ModelFamilies.ALL.stream().map(ModelFamily::modelType).collect(Collectors.joining(", "));
    }
}
