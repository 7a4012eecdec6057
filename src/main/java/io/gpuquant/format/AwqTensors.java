package io.gpuquant.format;

import io.gpuquant.safetensors.TensorSpec;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Shape;
import java.util.List;

/**
 * The tensors of a linear in an AWQ checkpoint, which replace its weight. In the GEMM layout:
 *
 * <ul>
 *   <li>{@code qweight} I32 [in, out / 8]
 *   <li>{@code qzeros} I32 [groups, out / 8]
 *   <li>{@code scales} F16 [groups, out]
 * </ul>
 *
 * <p>In the GEMV layout, with W words for the zero points of an output feature, padded:
 *
 * <ul>
 *   <li>{@code qweight} I32 [out, in / 8]
 *   <li>{@code qzeros} I32 [out, W]
 *   <li>{@code scales} F16 [out, 8 W]
 * </ul>
 *
 * @param module the linear's name
 */
public record AwqTensors(String module) {

    public String codes() {
        return module + ".qweight";
    }

    public String zeros() {
        return module + ".qzeros";
    }

    public String scales() {
        return module + ".scales";
    }

    /** What they look like for a linear of this size, in the order they are written. */
    List<TensorSpec> specs(AwqScheme scheme, int in, int out) {
        int perWord = AwqScheme.PER_WORD;
        if (scheme.version() == AwqVersion.GEMM) {
            int groups = scheme.groups(in);
            return List.of(
                    new TensorSpec(codes(), DType.I32, Shape.of(in, out / perWord)),
                    new TensorSpec(zeros(), DType.I32, Shape.of(groups, out / perWord)),
                    new TensorSpec(scales(), DType.F16, Shape.of(groups, out)));
        }
        int words = scheme.paddedZeroWords(in);
        return List.of(
                new TensorSpec(codes(), DType.I32, Shape.of(out, in / perWord)),
                new TensorSpec(zeros(), DType.I32, Shape.of(out, words)),
                new TensorSpec(scales(), DType.F16, Shape.of(out, (long) words * perWord)));
    }
}
