package io.gpuquant.model;

import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * What is common to all checkpoints of one {@code model_type}. A family is an entry of a table, not a class.
 *
 * @param modelType the {@code model_type} in config.json
 * @param activations the functions that {@code hidden_act} may name, the default first
 * @param defaultRopeTheta the base of the rotary embedding when config.json has none
 * @param names what the tensors are called
 */
public record ModelFamily(String modelType, List<Activation> activations, double defaultRopeTheta, TensorNames names) {

    private static final List<ModelFamily> SUPPORTED =
            List.of(new ModelFamily("llama", List.of(Activation.SILU), 10_000, TensorNames.LLAMA));

    public ModelFamily {
        activations = List.copyOf(activations);
        if (activations.isEmpty()) {
            throw new IllegalArgumentException(modelType + " has no activation");
        }
    }

    /** The family with this {@code model_type}. */
    public static Optional<ModelFamily> named(String modelType) {
        return SUPPORTED.stream()
                .filter(family -> family.modelType.equals(modelType))
                .findFirst();
    }

    /** The names that {@code hidden_act} may have, for a message. */
    String activationNames() {
        return activations.stream()
                .flatMap(activation -> activation.names().stream())
                .collect(Collectors.joining(", "));
    }

    /** The known {@code model_type}s, for a message. */
    static String supportedTypes() {
        return SUPPORTED.stream().map(ModelFamily::modelType).collect(Collectors.joining(", "));
    }
}
