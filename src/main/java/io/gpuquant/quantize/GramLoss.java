package io.gpuquant.quantize;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.kernels.AwqKernels;
import io.gpuquant.kernels.AwqKernels.Rounding;
import io.gpuquant.kernels.ReductionKernels;
import io.gpuquant.tensor.DType;

/**
 * The squared error of the outputs of linears, summed over all tokens: {@code tr(ΔW G ΔWᵀ)} with the Gram matrix G of the
 * input: what a pass of all tokens would give, to three digits at least, without the tokens.
 */
public final class GramLoss implements CandidateLoss, AutoCloseable {

    private final Device device;
    private final AwqKernels kernels;
    private final DeviceMatrix gram;
    private final DeviceMatrix errors;
    private final DeviceMatrix products;

    /**
     * @param rows output features that are judged; there may be none
     * @param gram F32 [in, in], symmetric
     */
    public GramLoss(Device device, int rows, DeviceMatrix gram) {
        this.device = device;
        this.gram = gram;
        kernels = new AwqKernels(device.stream());
        errors = DeviceMatrix.allocate(device, "rounding errors", DType.F32, rows, gram.rows());
        products = DeviceMatrix.allocate(device, "errors times Gram matrix", DType.F32, rows, gram.rows());
    }

    @Override
    public int pieces() {
        return 1;
    }

    @Override
    public void add(ReductionKernels.Sums losses, int candidate, Rounding rounding) {
        if (errors.rows() == 0) {
            return;
        }
        kernels.roundingErrors(rounding, errors);
        // Candidates differ by far more than the rounding, and a GPU is several times as fast with it.
        device.blas().gemm(device.stream(), Gemm.of(errors, gram, products).rounded(Gemm.Rounding.TF32));
        losses.addDot(candidate, errors, products);
    }

    @Override
    public void close() {
        products.buffer().close();
        errors.buffer().close();
    }
}
