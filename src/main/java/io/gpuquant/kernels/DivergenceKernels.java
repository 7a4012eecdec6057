package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;

/** How far the predictions of two models are apart. */
public final class DivergenceKernels {

    /** Columns that keep a warp busy. */
    private static final int COLUMNS_PER_WARP = 1024;

    private static final int SUMS = 4;

    private final Stream stream;
    private final KernelEntry divergenceSums;

    public DivergenceKernels(Stream stream) {
        this(stream, KernelFiles.module("divergence.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    DivergenceKernels(Stream stream, KernelModule kernels) {
        this.stream = stream;
        divergenceSums = kernels.entry("divergence_sums");
    }

    /**
     * What is needed of each row to know how far the predictions are apart: with p and q the rows minus their maxima,
     * {@code sum exp(p)}, {@code sum exp(q)}, {@code sum exp(p) (p - q)}, and 1 if a token is the likeliest in both, else 0.
     * NaN in a row gives NaN.
     *
     * @param logits F32 [rows, vocabulary], dense: the reference
     * @param others F32 [rows, vocabulary], dense
     * @param sums F64 [rows, 4], dense
     */
    public void sums(DeviceMatrix logits, DeviceMatrix others, DeviceMatrix sums) {
        TypeCode.require(logits, DType.F32, logits.rows(), logits.columns());
        TypeCode.require(others, DType.F32, logits.rows(), logits.columns());
        TypeCode.require(sums, DType.F64, logits.rows(), SUMS);
        TypeCode.requireDense(logits);
        TypeCode.requireDense(others);
        TypeCode.requireDense(sums);
        if (logits.elementCount() == 0) {
            return;
        }
        int warps = Math.clamp(logits.columns() / COLUMNS_PER_WARP, 1, Grids.THREADS / 32);
        stream.launch(
                divergenceSums,
                LaunchShape.linear(logits.rows(), 32 * warps),
                new KernelArguments()
                        .matrix(sums)
                        .matrix(logits)
                        .matrix(others)
                        .int32(logits.rows())
                        .int32(logits.columns()));
    }

    /**
     * The Kullback-Leibler divergence from the reference's prediction to the other, in nats.
     *
     * @param sums what {@link #sums} made of a row
     */
    public static double divergence(double[] sums) {
        return sums[2] / sums[0] - Math.log(sums[0]) + Math.log(sums[1]);
    }
}
