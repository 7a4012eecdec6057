package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.tensor.DType;

/**
 * The operands of the GPTQ loop over one block of columns, for rows stacked from all linears that share an input.
 *
 * @param weights F32 [rows, width], a window; holds the original weights W and is overwritten by the errors W - Ŵ
 * @param state F32 [rows, width], dense; the weights as updated by the errors of all earlier columns
 * @param inverse F32 [width, width], dense, upper triangular: the inverse of the diagonal block of R
 * @param codes where the codes go
 * @param scales F16 [groups, rows], a window of a dense matrix; gets, or gives, the scales
 * @param zeros U8 [groups, rows] with the stride of {@code scales}; gets, or gives, the zero points
 * @param groups I32 [1, width]: the row of {@code scales} and {@code zeros} that each column belongs to
 * @param groupSize where positive, groups start at multiples of it within the block and their scales are found from
 *     {@code state} when their turn comes; where zero, all scales and zero points are given
 * @param loss F32 [1, rows]; the squared errors, each divided by the square of the column's diagonal entry of {@code
 *     inverse}, are added to it
 */
public record GptqBlock(
        DeviceMatrix weights,
        DeviceMatrix state,
        DeviceMatrix inverse,
        BlockCodes codes,
        DeviceMatrix scales,
        DeviceMatrix zeros,
        DeviceMatrix groups,
        int groupSize,
        DeviceMatrix loss) {

    public GptqBlock {
        int rows = weights.rows();
        int width = weights.columns();
        if (width < 1 || width > HessianKernels.BLOCK) {
            throw new IllegalArgumentException("a block of " + width + " columns");
        }
        if (groupSize < 0 || (groupSize > 0 && width % groupSize != 0)) {
            throw new IllegalArgumentException("groups of " + groupSize + " in a block of " + width);
        }
        TypeCode.require(weights, DType.F32, rows, width);
        TypeCode.require(state, DType.F32, rows, width);
        TypeCode.require(inverse, DType.F32, width, width);
        codes.require(rows, width);
        TypeCode.require(scales, DType.F16, scales.rows(), rows);
        TypeCode.require(zeros, DType.U8, scales.rows(), rows);
        TypeCode.require(groups, DType.I32, 1, width);
        TypeCode.require(loss, DType.F32, 1, rows);
        TypeCode.requireDense(state, inverse);
        if (scales.stride() != zeros.stride()) {
            throw new IllegalArgumentException(scales + " and " + zeros + " have different strides");
        }
    }
}
