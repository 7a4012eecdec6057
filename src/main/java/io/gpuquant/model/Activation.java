package io.gpuquant.model;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** The function between the two halves of a gated MLP. */
public enum Activation {
    /** {@code x · sigmoid(x)}, which checkpoints call {@code silu} or {@code swish}. */
    SILU("silu", "swish"),
    /** GELU by its tanh formula. */
    GELU_TANH("gelu_pytorch_tanh", "gelu_new");

    @SuppressWarnings("ImmutableEnumChecker") // List.of cannot be changed
    private final List<String> names;

    Activation(String... names) {
        this.names = List.of(names);
    }

    /** The names that {@code hidden_act} in a config.json may have for it, the usual one first. */
    public List<String> names() {
        return names;
    }

    /** The function with this name. */
    public static Optional<Activation> named(String name) {
        return Arrays.stream(values())
                .filter(activation -> activation.names.contains(name))
                .findFirst();
    }
}
