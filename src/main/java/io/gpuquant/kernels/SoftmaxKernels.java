package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;

/** Attention weights. */
public final class SoftmaxKernels {

    private final Stream stream;
    private final KernelEntry softmaxCausal;

    public SoftmaxKernels(Stream stream) {
        this(stream, KernelFiles.module("softmax.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    SoftmaxKernels(Stream stream, KernelModule kernels) {
        this.stream = stream;
        softmaxCausal = kernels.entry("softmax_causal");
    }

    /**
     * Causal softmax of square score matrices: in matrix row {@code i}, columns 0 to {@code i} become
     * {@code exp(scale * (score - max)) / sum}, and those after it zero. A NaN among the scores, or infinity as their
     * maximum, makes the whole row NaN up to the diagonal.
     *
     * @param scores F32 [matrices * n, n], dense; what stands right of the diagonals is not read
     * @param scale positive and finite
     * @param weights F32, F16 or BF16 of the same extents, dense; may be the same memory as {@code scores} if F32
     */
    public void causal(DeviceMatrix scores, float scale, DeviceMatrix weights) {
        int length = scores.columns();
        TypeCode.require(scores, DType.F32, scores.rows(), length);
        TypeCode.require(weights, scores.rows(), length);
        TypeCode.requireDense(scores, weights);
        if (!(scale > 0) || Float.isInfinite(scale)) {
            throw new IllegalArgumentException("a scale of " + scale);
        }
        if (scores.elementCount() == 0) {
            return;
        }
        if (scores.rows() % length != 0) {
            throw new IllegalArgumentException(scores + " does not hold square matrices");
        }
        stream.launch(
                softmaxCausal,
                Grids.warpPerRow(scores.rows(), length),
                new KernelArguments()
                        .matrix(weights)
                        .int32(TypeCode.of(weights))
                        .matrix(scores)
                        .int32(scores.rows())
                        .int32(length)
                        .float32(scale));
    }
}
