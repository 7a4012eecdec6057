package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;

/** Cross-entropy. */
public final class LossKernels {

    private final Stream stream;
    private final KernelEntry crossEntropy;

    public LossKernels(Stream stream) {
        this(stream, KernelFiles.module("loss.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    LossKernels(Stream stream, KernelModule kernels) {
        this.stream = stream;
        crossEntropy = kernels.entry("cross_entropy");
    }

    /**
     * The log-probability of one token per row: {@code logits[r, target[r]] - log(sum over c of exp(logits[r, c]))}, right to
     * about 5e-7 and the rounding of the result. NaN among the logits of a row, or infinity as their maximum, gives NaN.
     *
     * @param logits F32 [rows, vocabulary], dense
     * @param targets I32 [1, rows], every entry below the vocabulary size
     * @param logProbabilities F32 [1, rows]
     */
    public void logProbabilities(DeviceMatrix logits, DeviceMatrix targets, DeviceMatrix logProbabilities) {
        TypeCode.require(logits, DType.F32, logits.rows(), logits.columns());
        TypeCode.require(targets, DType.I32, 1, logits.rows());
        TypeCode.require(logProbabilities, DType.F32, 1, logits.rows());
        TypeCode.requireDense(logits);
        if (logits.elementCount() == 0) {
            return;
        }
        stream.launch(
                crossEntropy,
                Grids.blockPerRow(logits.rows()),
                new KernelArguments()
                        .matrix(logProbabilities)
                        .matrix(logits)
                        .matrix(targets)
                        .int32(logits.rows())
                        .int32(logits.columns()));
    }
}
