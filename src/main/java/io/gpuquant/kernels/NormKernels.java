package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;

/** Normalizations. */
public final class NormKernels {

    private final Stream stream;
    private final KernelEntry rmsNorm;

    public NormKernels(Stream stream) {
        this(stream, KernelFiles.module("norm.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    NormKernels(Stream stream, KernelModule kernels) {
        this.stream = stream;
        rmsNorm = kernels.entry("rms_norm");
    }

    /**
     * RMSNorm (Zhang and Sennrich, arXiv 1910.07467): {@code out[r, c] = in[r, c] / sqrt(mean(in[r]²) + epsilon) * weight[c]},
     * in float32 and rounded once to the type of {@code out}.
     *
     * @param in F32 [rows, n], dense
     * @param weight F32, F16 or BF16 [1, n]
     * @param out F32, F16 or BF16 [rows, n], dense
     */
    public void rmsNorm(DeviceMatrix in, DeviceMatrix weight, float epsilon, DeviceMatrix out) {
        TypeCode.require(in, DType.F32, in.rows(), in.columns());
        TypeCode.require(weight, 1, in.columns());
        TypeCode.require(out, in.rows(), in.columns());
        TypeCode.requireDense(in, out);
        if (in.elementCount() == 0) {
            return;
        }
        stream.launch(
                rmsNorm,
                Grids.warpPerRow(in.rows(), in.columns()),
                new KernelArguments()
                        .matrix(out)
                        .int32(TypeCode.of(out))
                        .matrix(in)
                        .matrix(weight)
                        .int32(TypeCode.of(weight))
                        .int32(in.rows())
                        .int32(in.columns())
                        .float32(epsilon));
    }
}
