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
    private final KernelEntry softmaxWindowed;

    public SoftmaxKernels(Stream stream) {
        this(stream, KernelFiles.module("softmax.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    SoftmaxKernels(Stream stream, KernelModule kernels) {
        this.stream = stream;
        softmaxCausal = kernels.entry("softmax_causal");
        softmaxWindowed = kernels.entry("softmax_windowed");
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
        if (!isAnything(scores, scale, weights)) {
            return;
        }
        stream.launch(
                softmaxCausal,
                Grids.warpPerRow(scores.rows(), scores.columns()),
                new KernelArguments()
                        .matrix(weights)
                        .int32(TypeCode.of(weights))
                        .matrix(scores)
                        .int32(scores.rows())
                        .int32(scores.columns())
                        .float32(scale));
    }

    /**
     * Causal softmax of square score matrices over a sliding window, of capped scores: in matrix row {@code i}, columns
     * after {@code i - window} and up to {@code i} get the softmax of {@code scale * score}, or of {@code cap * tanh(scale *
     * score / cap)}, and all others zero. A NaN among the scores makes the whole row NaN within the window.
     *
     * @param scores F32 [matrices * n, n], dense; what stands outside the windows is not read
     * @param scale positive and finite
     * @param window keys that a query sees, its own among them; at least 1
     * @param cap positive and finite, or 0 for none
     * @param weights F32, F16 or BF16 of the same extents, dense; may be the same memory as {@code scores} if F32
     */
    public void windowed(DeviceMatrix scores, float scale, int window, float cap, DeviceMatrix weights) {
        if (window < 1) {
            throw new IllegalArgumentException("a window of " + window);
        }
        if (!(cap >= 0) || Float.isInfinite(cap)) {
            throw new IllegalArgumentException("a cap of " + cap);
        }
        if (!isAnything(scores, scale, weights)) {
            return;
        }
        stream.launch(
                softmaxWindowed,
                Grids.warpPerRow(scores.rows(), scores.columns()),
                new KernelArguments()
                        .matrix(weights)
                        .int32(TypeCode.of(weights))
                        .matrix(scores)
                        .int32(scores.rows())
                        .int32(scores.columns())
                        .float32(scale)
                        .int32(window)
                        .float32(cap));
    }

    /** Whether there is anything to compute, of what can be computed. */
    private static boolean isAnything(DeviceMatrix scores, float scale, DeviceMatrix weights) {
        int length = scores.columns();
        TypeCode.require(scores, DType.F32, scores.rows(), length);
        TypeCode.require(weights, scores.rows(), length);
        TypeCode.requireDense(scores, weights);
        if (!(scale > 0) || Float.isInfinite(scale)) {
            throw new IllegalArgumentException("a scale of " + scale);
        }
        if (scores.elementCount() == 0) {
            return false;
        }
        if (scores.rows() % length != 0) {
            throw new IllegalArgumentException(scores + " does not hold square matrices");
        }
        return true;
    }
}
