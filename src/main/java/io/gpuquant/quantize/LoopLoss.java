package io.gpuquant.quantize;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.ReductionKernels;
import java.util.Optional;

/**
 * {@code tr(E G Eᵀ)} of the errors {@code E = W - Ŵ} that GPTQ leaves, from what its loop has summed. With the damped Hessian
 * {@code H = R Rᵀ}, what the loop feeds forward from a column is that column of {@code E R}; so the sum of the squares is {@code
 * tr(E H Eᵀ)}, and H is G plus the damping on its diagonal. That spares a product as large as all that the loop itself takes.
 */
final class LoopLoss {

    /**
     * The smallest part of the loss that may be left when the damping's part is taken away: what is left has so many times the
     * float32 rounding errors of the loss.
     */
    private static final double LEAST_LEFT = 1 / 64.0;

    private final Device device;

    LoopLoss(Device device) {
        this.device = device;
    }

    /**
     * One value per linear of a task; none where a linear's is too small beside its damping to be told from it.
     *
     * @param errors F32 [outputs of all, in]
     * @param losses of each output feature, as the loop has summed them
     * @param damping what H has on its diagonal beside G, all of which is positive
     */
    Optional<double[]> of(StageTask task, DeviceMatrix errors, float[] losses, double damping) {
        int count = task.outputs().size();
        double[] norms;
        try (ReductionKernels.Sums sums = new ReductionKernels(device).sums(count, 1)) {
            for (int i = 0; i < count; i++) {
                DeviceMatrix rows = task.rows(i, errors);
                sums.addDot(i, rows, rows);
            }
            norms = sums.read();
        }
        double[] left = new double[count];
        for (int i = 0; i < count; i++) {
            double loss = 0;
            for (int row = 0; row < task.outputs().get(i); row++) {
                loss += losses[task.offset(i) + row];
            }
            left[i] = loss - damping * norms[i];
            if (!(left[i] >= LEAST_LEFT * loss)) {
                return Optional.empty();
            }
        }
        return Optional.of(left);
    }
}
