package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;

/** Weights into integers: by groups alone, or column by column with error feedback. */
public final class QuantizeKernels {

    private static final KernelEntry FIND_GRIDS =
            KernelFiles.module("quantize.ptx").entry("find_grids");
    private static final KernelEntry ROUND = KernelFiles.module("quantize.ptx").entry("round_to_grid");
    private static final KernelEntry GPTQ = KernelFiles.module("gptq.ptx").entry("gptq_block");

    private final Stream stream;

    public QuantizeKernels(Stream stream) {
        this.stream = stream;
    }

    /**
     * Finds scale and zero point of every group of a row, from the weights alone. A scale is rounded to F16 before the zero
     * point is derived from it, is never zero, and at most 65504; a group of zeros gets that of weights within ±1.
     *
     * @param weights F32 [rows, groups * groupSize]; may be a window
     * @param scales F16 [groups, rows]; may be a window
     * @param zeros U8 [groups, rows] with the stride of {@code scales}
     */
    public void findGrids(
            DeviceMatrix weights, int groupSize, QuantizationGrid grid, DeviceMatrix scales, DeviceMatrix zeros) {
        int rows = weights.rows();
        int groups = scales.rows();
        TypeCode.require(weights, DType.F32, rows, Math.multiplyExact(groups, groupSize));
        TypeCode.require(scales, DType.F16, groups, rows);
        TypeCode.require(zeros, DType.U8, groups, rows);
        if (scales.stride() != zeros.stride()) {
            throw new IllegalArgumentException(scales + " and " + zeros + " have different strides");
        }
        if (weights.elementCount() == 0) {
            return;
        }
        stream.launch(
                FIND_GRIDS,
                LaunchShape.grid(Grids.ceilDiv(rows, Grids.ROWS_PER_BLOCK), Math.min(groups, 65_535), Grids.THREADS),
                withGrid(
                        new KernelArguments()
                                .matrix(weights)
                                .int32(weights.stride())
                                .matrix(scales)
                                .matrix(zeros)
                                .int32(scales.stride())
                                .int32(rows)
                                .int32(groups)
                                .int32(groupSize),
                        grid));
    }

    /**
     * Rounds weights to the grids of their groups and keeps the errors: {@code code = clamp(rint(w / scale) + zero)}, and
     * {@code weights} becomes {@code w - scale * (code - zero)}.
     *
     * @param weights F32 [rows, n]; may be a window; overwritten by the errors
     * @param codes U8 [rows, n]; may be a window
     * @param scales F16 [groups, rows]; may be a window
     * @param zeros U8 [groups, rows] with the stride of {@code scales}
     * @param groups I32 [1, n]: the row of {@code scales} of each column
     */
    public void round(
            DeviceMatrix weights,
            DeviceMatrix codes,
            DeviceMatrix scales,
            DeviceMatrix zeros,
            DeviceMatrix groups,
            QuantizationGrid grid) {
        int rows = weights.rows();
        TypeCode.require(weights, DType.F32, rows, weights.columns());
        TypeCode.require(codes, DType.U8, rows, weights.columns());
        TypeCode.require(scales, DType.F16, scales.rows(), rows);
        TypeCode.require(zeros, DType.U8, scales.rows(), rows);
        TypeCode.require(groups, DType.I32, 1, weights.columns());
        if (scales.stride() != zeros.stride()) {
            throw new IllegalArgumentException(scales + " and " + zeros + " have different strides");
        }
        if (weights.elementCount() == 0) {
            return;
        }
        stream.launch(
                ROUND,
                Grids.columnsByRows(weights.columns(), rows),
                new KernelArguments()
                        .matrix(weights)
                        .int32(weights.stride())
                        .matrix(codes)
                        .int32(codes.stride())
                        .matrix(scales)
                        .matrix(zeros)
                        .int32(scales.stride())
                        .matrix(groups)
                        .int32(rows)
                        .int32(weights.columns())
                        .int32(grid.largestCode()));
    }

    /**
     * The GPTQ loop over one block (Frantar et al., arXiv 2210.17323, algorithm 1, its inner loop): for each column in turn,
     * the state is rounded to the column's grid, and the error, divided by the column's diagonal entry of the inverse
     * factor, times that factor's row is subtracted from the columns to its right.
     */
    public void gptqBlock(GptqBlock block, QuantizationGrid grid) {
        int rows = block.weights().rows();
        if (rows == 0) {
            return;
        }
        stream.launch(
                GPTQ,
                Grids.warpPerRow(rows),
                withGrid(
                        new KernelArguments()
                                .matrix(block.weights())
                                .int32(block.weights().stride())
                                .matrix(block.state())
                                .matrix(block.inverse())
                                .matrix(block.codes())
                                .int32(block.codes().stride())
                                .matrix(block.scales())
                                .matrix(block.zeros())
                                .int32(block.scales().stride())
                                .matrix(block.groups())
                                .matrix(block.loss())
                                .int32(rows)
                                .int32(block.weights().columns())
                                .int32(block.groupSize()),
                        grid));
    }

    /** Appends largest code, symmetry, smallest zero point and search, as every kernel that finds grids takes them. */
    private static KernelArguments withGrid(KernelArguments arguments, QuantizationGrid grid) {
        return arguments
                .int32(grid.largestCode())
                .int32(grid.symmetric() ? 1 : 0)
                .int32(grid.smallestZero())
                .int32(grid.search() == QuantizationGrid.Search.MSE ? 1 : 0);
    }
}
