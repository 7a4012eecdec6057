package io.gpuquant.format;

import io.gpuquant.safetensors.TensorSpec;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Shape;
import java.util.ArrayList;
import java.util.List;

/**
 * The tensors of a linear in the format {@code pack-quantized} of compressed-tensors, which replace its weight. With b bits:
 *
 * <ul>
 *   <li>{@code weight_packed} I32 [out, ceil(in * b / 32)]: per output feature, a little-endian bit stream of codes from 0 to
 *       {@code 2^b - 1} along the input
 *   <li>{@code weight_scale} F16 or BF16 [out, groups]
 *   <li>{@code weight_zero_point} I32 [ceil(out * b / 32), groups]: per group, a bit stream of zero points along the output;
 *       absent where grids are symmetric
 *   <li>{@code weight_shape} I64 [2]: out and in
 * </ul>
 *
 * <p>compressed-tensors speaks of codes and zero points less {@code 2^(b-1)} and adds that when it packs: in the files are the
 * numbers that GPTQ and AWQ have too.
 *
 * @param module the linear's name
 */
public record PackQuantizedTensors(String module) {

    private static final String CODES = ".weight_packed";

    /** Whether a tensor has the codes of a linear. */
    public static boolean isCodes(String tensor) {
        return tensor.endsWith(CODES);
    }

    public String codes() {
        return module + CODES;
    }

    public String scales() {
        return module + ".weight_scale";
    }

    public String zeros() {
        return module + ".weight_zero_point";
    }

    public String shape() {
        return module + ".weight_shape";
    }

    /** The group of each input feature, in checkpoints whose groups are not runs of consecutive ones. */
    String groups() {
        return module + ".weight_g_idx";
    }

    /** What they look like for a linear of this size, in the order they are written. */
    List<TensorSpec> specs(PackQuantizedScheme scheme, int in, int out) {
        int groups = scheme.groups(in);
        List<TensorSpec> specs = new ArrayList<>();
        specs.add(new TensorSpec(codes(), DType.I32, Shape.of(out, scheme.words(in))));
        specs.add(new TensorSpec(scales(), scheme.scaleType(), Shape.of(out, groups)));
        if (!scheme.symmetric()) {
            specs.add(new TensorSpec(zeros(), DType.I32, Shape.of(scheme.words(out), groups)));
        }
        specs.add(new TensorSpec(shape(), DType.I64, Shape.of(2)));
        return specs;
    }
}
