package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;

/** Rotary position embeddings. */
public final class RopeKernels {

    private static final KernelEntry ROPE = KernelFiles.module("rope.ptx").entry("rope");

    private final Stream stream;

    public RopeKernels(Stream stream) {
        this.stream = stream;
    }

    /**
     * Rotates each head of each token (Su et al., arXiv 2104.09864), in the half-split convention of transformers: with
     * {@code d = headDim / 2}, {@code out[i] = x[i] cos[i] - x[i + d] sin[i]} and {@code out[i + d] = x[i + d] cos[i] + x[i]
     * sin[i]}. Token {@code t} stands at position {@code t % cos.rows()}, so rows of {@code cos} are a sequence's positions.
     *
     * @param in F32 [tokens, heads * headDim]; may be a window of a wider matrix
     * @param cos F32 [sequence length, headDim / 2], dense
     * @param sin as {@code cos}
     * @param out F32, F16 or BF16 [tokens, heads * headDim], dense
     */
    public void rotate(DeviceMatrix in, DeviceMatrix cos, DeviceMatrix sin, DeviceMatrix out) {
        int headDim = 2 * cos.columns();
        TypeCode.require(in, DType.F32, in.rows(), in.columns());
        TypeCode.require(cos, DType.F32, cos.rows(), cos.columns());
        TypeCode.require(sin, DType.F32, cos.rows(), cos.columns());
        TypeCode.require(out, in.rows(), in.columns());
        TypeCode.requireDense(cos, sin, out);
        if (in.columns() % headDim != 0) {
            throw new IllegalArgumentException(in + " does not hold heads of " + headDim);
        }
        if (in.elementCount() == 0) {
            return;
        }
        stream.launch(
                ROPE,
                Grids.columnsByRows(in.columns() / 2, in.rows()),
                new KernelArguments()
                        .matrix(out)
                        .int32(TypeCode.of(out))
                        .matrix(in)
                        .int32(in.stride())
                        .matrix(cos)
                        .matrix(sin)
                        .int32(in.rows())
                        .int32(in.columns() / headDim)
                        .int32(headDim)
                        .int32(cos.rows()));
    }
}
