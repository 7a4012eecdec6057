package io.gpuquant.model;

/**
 * A linear layer of a model.
 *
 * @param name the module's name, such as {@code model.layers.0.self_attn.q_proj}
 * @param in input features
 * @param out output features
 * @param bias whether it has a bias
 */
public record LinearSpec(String name, int in, int out, boolean bias) {

    /** The tensor with the weight, [out, in]. */
    public String weightName() {
        return name + ".weight";
    }

    /** The tensor with the bias, [out]. */
    public String biasName() {
        return name + ".bias";
    }
}
