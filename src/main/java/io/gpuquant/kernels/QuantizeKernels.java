package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;

/** Weights into integers: by groups alone, or column by column with error feedback. */
public final class QuantizeKernels {

    /** Rows that a block of {@code find_grids} and of {@code gptq_block} works on: four to a warp. */
    private static final int ROWS_PER_BLOCK = 32;

    /** Rows that a thread of {@code round_to_grid} works on, so that it looks up its column's group for several. */
    private static final int ROWS_PER_THREAD = 8;

    /** Shared memory of {@code gptq_block}: the upper half of the inverse, its diagonal, and a state of each row. */
    private static final int GPTQ_SHARED_BYTES = 58_880;

    /** What it has besides for words on their way out: 32 rows of at most 128 bytes. */
    private static final int GPTQ_WORD_BYTES = 4096;

    /** Rows, which are threads, of a block of {@code gptq_block_rows}. */
    private static final int ROW_THREADS = 128;

    /** Shared memory of {@code gptq_block_rows}: rows, a piece of the inverse, its diagonal, and codes on their way out. */
    private static final int ROWS_SHARED_BYTES = 73_728;

    private final Stream stream;
    private final KernelEntry findGrids;
    private final KernelEntry round;
    private final KernelEntry gptqBlock;
    private final KernelEntry gptqBlockRows;

    public QuantizeKernels(Stream stream) {
        this(stream, KernelFiles.module("quantize.ptx"), KernelFiles.module("gptq.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    QuantizeKernels(Stream stream, KernelModule quantize, KernelModule gptq) {
        this.stream = stream;
        findGrids = quantize.entry("find_grids");
        round = quantize.entry("round_to_grid");
        gptqBlock = gptq.entry("gptq_block");
        gptqBlockRows = gptq.entry("gptq_block_rows");
    }

    /**
     * Finds scale and zero point of every group of a row, from the weights alone. A scale is rounded to F16 before the zero
     * point is derived from it, is never zero, and at most 65504; a group of zeros gets that of weights within ±1. Where an
     * asymmetric group's zero point has to be raised from 0 to 1, the scale grows so that its largest weight stays within
     * reach. {@code ptx/quantize.ptx} states the rule in full; {@link #gptqBlock} finds the same grids.
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
                findGrids,
                LaunchShape.grid(
                        Grids.ceilDiv(rows, ROWS_PER_BLOCK), Math.min(groups, Grids.MOST_BLOCKS_Y), Grids.THREADS),
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
                round,
                Grids.columnsByRows(weights.columns(), Grids.ceilDiv(rows, ROWS_PER_THREAD)),
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
     *
     * @param shape of a kernel that can take the block; none of them changes a bit
     */
    public void gptqBlock(GptqBlock block, QuantizationGrid grid, GptqShape shape) {
        int rows = block.weights().rows();
        if (!shape.takes(block, grid)) {
            throw new IllegalArgumentException(shape + " for groups of " + block.groupSize() + " in a block of "
                    + block.weights().columns() + " with " + grid);
        }
        if (rows == 0) {
            return;
        }
        int wordBytes = block.codes().wordBytesOfRow(block.weights().columns());
        KernelArguments arguments = withCodes(
                        new KernelArguments()
                                .matrix(block.weights())
                                .int32(block.weights().stride())
                                .matrix(block.state())
                                .matrix(block.inverse()),
                        block.codes(),
                        rows)
                .matrix(block.scales())
                .matrix(block.zeros())
                .int32(block.scales().stride())
                .matrix(block.groups())
                .matrix(block.loss())
                .int32(rows)
                .int32(block.weights().columns())
                .int32(block.groupSize());
        switch (shape) {
            case EIGHT_LANES_PER_ROW ->
                stream.launch(
                        gptqBlock,
                        LaunchShape.linear(Grids.ceilDiv(rows, ROWS_PER_BLOCK), Grids.THREADS)
                                .withDynamicShared(GPTQ_SHARED_BYTES + (wordBytes > 0 ? GPTQ_WORD_BYTES : 0)),
                        withGrid(arguments, grid));
            case THREAD_PER_ROW ->
                stream.launch(
                        gptqBlockRows,
                        LaunchShape.linear(Grids.ceilDiv(rows, ROW_THREADS), ROW_THREADS)
                                .withDynamicShared(ROWS_SHARED_BYTES + ROW_THREADS * wordBytes),
                        withRange(arguments, grid));
        }
    }

    private static KernelArguments withCodes(KernelArguments arguments, BlockCodes codes, int rows) {
        return switch (codes) {
            case BlockCodes.Bytes bytes ->
                arguments
                        .matrix(bytes.codes())
                        .int32(bytes.codes().stride())
                        .address(0)
                        .address(0)
                        .address(0)
                        .int32(0);
            case BlockCodes.Words words ->
                arguments
                        .matrix(words.words())
                        .int32(words.wordsOfRow(rows))
                        .matrix(words.targets())
                        .matrix(words.pieces())
                        .matrix(words.linears())
                        .int32(words.bits());
        };
    }

    /** Appends the grid's rule as every kernel that searches grids takes it. */
    private static KernelArguments withGrid(KernelArguments arguments, QuantizationGrid grid) {
        return withRange(arguments, grid)
                .int32(grid.search() == QuantizationGrid.Search.MSE ? 1 : 0)
                .int32(grid.bf16Scales() ? 1 : 0);
    }

    private static KernelArguments withRange(KernelArguments arguments, QuantizationGrid grid) {
        return arguments
                .int32(grid.largestCode())
                .int32(grid.symmetric() ? 1 : 0)
                .int32(grid.smallestZero());
    }
}
