package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;

/** Changing element types, copying windows of matrices, reordering columns. */
public final class ConvertKernels {

    private final Stream stream;
    private final KernelEntry convert;
    private final KernelEntry copyWindow;
    private final KernelEntry gatherColumns;

    public ConvertKernels(Stream stream) {
        this(stream, KernelFiles.module("convert.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    ConvertKernels(Stream stream, KernelModule kernels) {
        this.stream = stream;
        convert = kernels.entry("convert");
        copyWindow = kernels.entry("copy_window");
        gatherColumns = kernels.entry("gather_columns");
    }

    /** Copies a matrix of F32, F16 or BF16 into one of the same extents and any of these types, rounded to nearest even. */
    public void convert(DeviceMatrix from, DeviceMatrix to) {
        TypeCode.require(to, from.rows(), from.columns());
        if (from.elementCount() == 0) {
            return;
        }
        stream.launch(
                convert,
                Grids.vectorsByRows(from.columns(), from.rows()),
                new KernelArguments()
                        .matrix(to)
                        .int32(TypeCode.of(to))
                        .int32(to.stride())
                        .matrix(from)
                        .int32(TypeCode.of(from))
                        .int32(from.stride())
                        .int32(from.rows())
                        .int32(from.columns()));
    }

    /** Copies a matrix into another of the same extents and element width, bit by bit; either may be a window. */
    public void copy(DeviceMatrix from, DeviceMatrix to) {
        TypeCode.require(to, from.dtype(), from.rows(), from.columns());
        if (from.elementCount() == 0) {
            return;
        }
        stream.launch(
                copyWindow,
                Grids.vectorsByRows(from.dtype().bytes((long) from.columns()) / Float.BYTES, from.rows()),
                new KernelArguments()
                        .matrix(to)
                        .int32(to.stride())
                        .matrix(from)
                        .int32(from.stride())
                        .int32(from.rows())
                        .int32(from.columns())
                        .int32(from.dtype().bytes()));
    }

    /**
     * Copies columns in another order, as F32: {@code to[r, j] = from[r, order[j]]}.
     *
     * @param from F32, F16 or BF16 [rows, n]
     * @param order I32 [1, m], every entry below n
     * @param to F32 [rows, m]
     */
    public void gatherColumns(DeviceMatrix from, DeviceMatrix order, DeviceMatrix to) {
        TypeCode.require(order, DType.I32, 1, to.columns());
        TypeCode.require(to, DType.F32, from.rows(), to.columns());
        if (to.elementCount() == 0) {
            return;
        }
        stream.launch(
                gatherColumns,
                Grids.vectorsByRows(to.columns(), to.rows()),
                new KernelArguments()
                        .matrix(to)
                        .int32(to.stride())
                        .matrix(from)
                        .int32(TypeCode.of(from))
                        .int32(from.stride())
                        .matrix(order)
                        .int32(to.rows())
                        .int32(to.columns()));
    }
}
