package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;

/** The largest magnitudes of tiles and of columns, and the scales that follow from them. */
public final class RangeKernels {

    /** Rows of a column that a thread takes in one go. */
    private static final int BAND = 64;

    private final Stream stream;
    private final KernelEntry tileAbsmax;
    private final KernelEntry columnAbsmax;
    private final KernelEntry tileScales;

    public RangeKernels(Stream stream) {
        this(stream, KernelFiles.module("ranges.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    RangeKernels(Stream stream, KernelModule kernels) {
        this.stream = stream;
        tileAbsmax = kernels.entry("tile_absmax");
        columnAbsmax = kernels.entry("column_absmax");
        tileScales = kernels.entry("tile_scales");
    }

    /** How a scale follows from the largest magnitude of a tile. */
    public enum Rule {
        /** The magnitude over a constant, rounded to an element type. */
        QUOTIENT,
        /** The same, and where that is zero the distance of 1 to the next larger number of the type. */
        QUOTIENT_OR_EPSILON,
        /** The inverse of the magnitude times a constant, in float32; one where the magnitude is zero. */
        INVERSE
    }

    /**
     * The largest {@code |matrix[r, c] - offset|} of every tile.
     *
     * @param matrix F32, F16 or BF16, finite; may be a window
     * @param maxima F32 [tiles down, tiles across], dense
     */
    public void tileAbsmax(DeviceMatrix matrix, Tile tile, float offset, DeviceMatrix maxima) {
        TypeCode.require(maxima, DType.F32, tile.down(matrix), tile.across(matrix));
        TypeCode.requireDense(maxima);
        if (matrix.elementCount() == 0) {
            return;
        }
        long warps = Math.min(maxima.elementCount(), (long) Grids.ENOUGH_BLOCKS * Grids.ROWS_PER_BLOCK);
        stream.launch(
                tileAbsmax,
                LaunchShape.linear(Grids.ceilDiv((int) warps, Grids.ROWS_PER_BLOCK), Grids.THREADS),
                new KernelArguments()
                        .matrix(maxima)
                        .matrix(matrix)
                        .int32(TypeCode.of(matrix))
                        .int32(matrix.stride())
                        .int32(matrix.rows())
                        .int32(matrix.columns())
                        .int32(tile.rows())
                        .int32(tile.columns())
                        .float32(offset));
    }

    /**
     * Raises maxima to the largest magnitude of each column where they are smaller.
     *
     * @param matrix F32, F16 or BF16 [any, n]; may be a window
     * @param maxima F32 [1, n], without a sign; a NaN counts as larger than all
     */
    public void raiseToColumns(DeviceMatrix matrix, DeviceMatrix maxima) {
        TypeCode.require(maxima, DType.F32, 1, matrix.columns());
        if (matrix.elementCount() == 0) {
            return;
        }
        stream.launch(
                columnAbsmax,
                Grids.columnsByRows(matrix.columns(), Grids.ceilDiv(matrix.rows(), BAND)),
                new KernelArguments()
                        .matrix(maxima)
                        .matrix(matrix)
                        .int32(TypeCode.of(matrix))
                        .int32(matrix.stride())
                        .int32(matrix.rows())
                        .int32(matrix.columns()));
    }

    /**
     * Scales from magnitudes.
     *
     * @param maxima F32, dense, without a sign
     * @param rounding the type that a quotient is rounded to: F32, F16 or BF16
     * @param scales F32, dense; may be {@code maxima}
     */
    public void scales(DeviceMatrix maxima, Rule rule, float constant, DType rounding, DeviceMatrix scales) {
        TypeCode.require(maxima, DType.F32, maxima.rows(), maxima.columns());
        TypeCode.require(scales, DType.F32, maxima.rows(), maxima.columns());
        TypeCode.requireDense(maxima, scales);
        if (maxima.elementCount() == 0) {
            return;
        }
        stream.launch(
                tileScales,
                Grids.elementwise(maxima.elementCount()),
                new KernelArguments()
                        .matrix(scales)
                        .matrix(maxima)
                        .int64(maxima.elementCount())
                        .float32(constant)
                        .int32(rule.ordinal())
                        .int32(TypeCode.of(rounding)));
    }
}
