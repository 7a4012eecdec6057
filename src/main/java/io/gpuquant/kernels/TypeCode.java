package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.tensor.DType;

/** How kernels are told an element type: the one branch on it is uniform, so one kernel serves all three. */
final class TypeCode {

    private TypeCode() {}

    /** 0 for F32, 1 for F16, 2 for BF16. */
    static int of(DeviceMatrix matrix) {
        if (!matrix.dtype().isComputeType()) {
            throw new IllegalArgumentException(matrix + " is not of F32, F16 or BF16");
        }
        return of(matrix.dtype());
    }

    /** 0 for F32, 1 for F16, 2 for BF16. */
    static int of(DType dtype) {
        return switch (dtype) {
            case F32 -> 0;
            case F16 -> 1;
            case BF16 -> 2;
            default -> throw new IllegalArgumentException(dtype + " is not F32, F16 or BF16");
        };
    }

    /** Fails unless a matrix has the type and extents a kernel expects. */
    static void require(DeviceMatrix matrix, DType dtype, int rows, int columns) {
        if (matrix.dtype() != dtype) {
            throw new IllegalArgumentException(matrix + " is not of " + dtype);
        }
        require(matrix, rows, columns);
    }

    /** Fails unless a matrix has the extents a kernel expects. */
    static void require(DeviceMatrix matrix, int rows, int columns) {
        if (matrix.rows() != rows || matrix.columns() != columns) {
            throw new IllegalArgumentException(matrix + " is not " + rows + " x " + columns);
        }
    }

    /** Fails unless rows follow each other without a gap. */
    static void requireDense(DeviceMatrix... matrices) {
        for (DeviceMatrix matrix : matrices) {
            if (!matrix.isDense()) {
                throw new IllegalArgumentException(matrix + " is not dense");
            }
        }
    }
}
