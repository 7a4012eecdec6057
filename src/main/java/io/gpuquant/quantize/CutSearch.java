package io.gpuquant.quantize;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.kernels.AwqKernels;
import io.gpuquant.kernels.AwqKernels.Cut;
import io.gpuquant.kernels.AwqKernels.Cuts;
import io.gpuquant.kernels.AwqKernels.Rounding;
import io.gpuquant.tensor.DType;

/**
 * AWQ's search for the range of each group of each output feature: of ten cuts, from the whole range to 0.55 of it, the one
 * with the least squared error of the group's share of the output, summed over all tokens.
 *
 * <p>That sum is {@code e G_gg eᵀ}, with the errors e of the group's weights and the group's diagonal block of the Gram
 * matrix, so neither tokens nor products of tokens and groups are needed: a search takes two more matrices of the size of the
 * weights, where AutoAWQ holds gigabytes and samples 512 tokens.
 */
final class CutSearch {

    private final Device device;
    private final AwqOptions options;
    private final AwqKernels kernels;

    CutSearch(Device device, AwqOptions options) {
        this.device = device;
        this.options = options;
        kernels = new AwqKernels(device.stream());
    }

    /**
     * Searches the cuts of a linear.
     *
     * @param weights F32 [out, in], dense
     * @param gram F32 [in, in], symmetric and dense
     * @param cuts U8 [out, groups], dense; gets the cuts
     */
    void search(DeviceMatrix weights, DeviceMatrix gram, DeviceMatrix cuts) {
        int rows = weights.rows();
        int in = weights.columns();
        int groupSize = options.groupSize(in);
        DeviceMatrix errors = DeviceMatrix.allocate(device, "rounding errors", DType.F32, rows, in);
        DeviceMatrix products = DeviceMatrix.allocate(device, "errors times Gram blocks", DType.F32, rows, in);
        DeviceMatrix losses = DeviceMatrix.allocate(device, "losses of groups", DType.F32, rows, in / groupSize);
        try (var errorBuffer = errors.buffer();
                var productBuffer = products.buffer();
                var lossBuffer = losses.buffer()) {
            Cuts best = new Cuts(losses, cuts);
            for (int cut = 0; cut < AwqKernels.CUTS; cut++) {
                kernels.roundingErrors(
                        new Rounding(weights, null, groupSize, options.grid(), new Cut(null, cut)), errors);
                multiplyByBlocks(errors, gram, groupSize, products);
                kernels.chooseCuts(cut, errors, products, groupSize, best);
            }
        }
    }

    private void multiplyByBlocks(DeviceMatrix errors, DeviceMatrix gram, int groupSize, DeviceMatrix products) {
        int in = gram.rows();
        Gemm first = Gemm.of(
                errors.columns(0, groupSize),
                gram.rows(0, groupSize).columns(0, groupSize),
                products.columns(0, groupSize));
        device.blas()
                .gemm(
                        device.stream(),
                        first.batched(in / groupSize, groupSize, (long) groupSize * (in + 1), groupSize));
    }
}
