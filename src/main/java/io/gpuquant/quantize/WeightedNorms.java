package io.gpuquant.quantize;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.kernels.ReductionKernels;
import io.gpuquant.tensor.DType;

/** {@code tr(M G Mᵀ)}: for weights the squared norm of what they give for all calibration tokens, for errors that of the error, to three digits at least. */
final class WeightedNorms {

    /** Rows that are multiplied at once. */
    private static final int ROWS = 2048;

    private final Device device;
    private final ReductionKernels reductions;

    WeightedNorms(Device device) {
        this.device = device;
        reductions = new ReductionKernels(device);
    }

    /**
     * One value per linear of a task.
     *
     * @param matrix F32 [outputs of all, in]
     * @param gram F32 [in, in], symmetric
     */
    double[] of(StageTask task, DeviceMatrix matrix, DeviceMatrix gram) {
        double[] norms = new double[task.names().size()];
        int most = Math.min(ROWS, matrix.rows());
        DeviceMatrix product = DeviceMatrix.allocate(device, "weights times Gram matrix", DType.F32, most, task.in());
        try (var buffer = product.buffer()) {
            for (int i = 0; i < norms.length; i++) {
                DeviceMatrix linear = task.rows(i, matrix);
                for (int row = 0; row < linear.rows(); row += most) {
                    DeviceMatrix rows = linear.rows(row, Math.min(most, linear.rows() - row));
                    DeviceMatrix result = product.rows(0, rows.rows());
                    device.blas().gemm(device.stream(), product(rows, gram, result));
                    norms[i] += reductions.dot(result, rows);
                }
            }
        }
        return norms;
    }

    /** These norms are for reports, and a product in full float32 takes a GPU as long as all that GPTQ itself multiplies. */
    private static Gemm product(DeviceMatrix rows, DeviceMatrix gram, DeviceMatrix result) {
        return Gemm.of(rows, gram, result).rounded(Gemm.Rounding.TF32);
    }
}
