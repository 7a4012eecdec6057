package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;
import org.jspecify.annotations.Nullable;

/** Factors by row and by column. */
public final class ScaleKernels {

    private final Stream stream;
    private final KernelEntry scaleMatrix;

    public ScaleKernels(Stream stream) {
        this(stream, KernelFiles.module("scale.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    ScaleKernels(Stream stream, KernelModule kernels) {
        this.stream = stream;
        scaleMatrix = kernels.entry("scale_matrix");
    }

    /**
     * One factor per row, or per column.
     *
     * @param values F32 [1, n], dense; null for ones
     * @param divides whether elements are divided by their factor, and not multiplied
     */
    public record Factors(@Nullable DeviceMatrix values, boolean divides) {

        /** No factors. */
        public static final Factors ONES = new Factors(null, false);

        /** Elements are multiplied. */
        public static Factors times(DeviceMatrix values) {
            return new Factors(values, false);
        }

        /** Elements are divided. */
        public static Factors over(DeviceMatrix values) {
            return new Factors(values, true);
        }

        private long address(int count) {
            if (values == null) {
                return 0;
            }
            TypeCode.require(values, DType.F32, 1, count);
            return values.address();
        }
    }

    /**
     * Applies factors, those of columns first.
     *
     * @param in F32, F16 or BF16 [rows, n]; may be a window
     * @param out F32 [rows, n]; may be a window, and may be {@code in}
     */
    public void scale(DeviceMatrix in, Factors columns, Factors rows, DeviceMatrix out) {
        TypeCode.require(out, DType.F32, in.rows(), in.columns());
        if (in.elementCount() == 0) {
            return;
        }
        stream.launch(
                scaleMatrix,
                Grids.columnsByRows(in.columns(), Grids.ceilDiv(in.rows(), Grids.ROWS_PER_BLOCK)),
                new KernelArguments()
                        .matrix(out)
                        .int32(out.stride())
                        .matrix(in)
                        .int32(TypeCode.of(in))
                        .int32(in.stride())
                        .address(columns.address(in.columns()))
                        .int32(columns.divides() ? 1 : 0)
                        .address(rows.address(in.rows()))
                        .int32(rows.divides() ? 1 : 0)
                        .int32(in.rows())
                        .int32(in.columns()));
    }
}
