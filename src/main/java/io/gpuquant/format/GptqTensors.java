package io.gpuquant.format;

import io.gpuquant.safetensors.TensorSpec;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Shape;
import java.util.List;

/**
 * The tensors of a linear in a GPTQ checkpoint, which replace its weight.
 *
 * <ul>
 *   <li>{@code qweight} I32 [in * bits / 32, out]: per output feature, a little-endian bit stream of codes along the input
 *   <li>{@code qzeros} I32 [groups, out * bits / 32]: per group, a bit stream of zero points along the output
 *   <li>{@code scales} F16 [groups, out]
 *   <li>{@code g_idx} I32 [in]: the group of each input feature
 * </ul>
 *
 * @param module the linear's name
 */
public record GptqTensors(String module) {

    private static final String CODES = ".qweight";

    /** Whether a tensor is the {@code qweight} of a linear. */
    public static boolean isCodes(String tensor) {
        return tensor.endsWith(CODES);
    }

    /** The linear that a {@code qweight} belongs to. */
    public static GptqTensors ofCodes(String tensor) {
        return new GptqTensors(tensor.substring(0, tensor.length() - CODES.length()));
    }

    public String codes() {
        return module + CODES;
    }

    public String zeros() {
        return module + ".qzeros";
    }

    public String scales() {
        return module + ".scales";
    }

    public String groups() {
        return module + ".g_idx";
    }

    /** What they look like for a linear of this size, in the order they are written. */
    public List<TensorSpec> specs(GptqScheme scheme, int in, int out) {
        long groups = scheme.groups(in);
        return List.of(
                new TensorSpec(codes(), DType.I32, Shape.of(words(scheme, in), out)),
                new TensorSpec(zeros(), DType.I32, Shape.of(groups, words(scheme, out))),
                new TensorSpec(scales(), DType.F16, Shape.of(groups, out)),
                new TensorSpec(groups(), DType.I32, Shape.of(in)));
    }

    private static long words(GptqScheme scheme, int values) {
        return (long) values * scheme.bits() / GptqScheme.WORD_BITS;
    }
}
