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

    /** The name within its decoder layer, such as {@code self_attn.q_proj}: what follows the layer's index. */
    public String nameInLayer() {
        String[] parts = name.split("\\.", -1);
        for (int i = 0; i < parts.length; i++) {
            if (!parts[i].isEmpty() && parts[i].chars().allMatch(Character::isDigit)) {
                return String.join(".", java.util.Arrays.copyOfRange(parts, i + 1, parts.length));
            }
        }
        return name;
    }

    /** The tensor with the weight, [out, in]. */
    public String weightName() {
        return name + ".weight";
    }

    /** The tensor with the bias, [out]. */
    public String biasName() {
        return name + ".bias";
    }
}
