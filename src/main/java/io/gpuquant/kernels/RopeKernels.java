package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;

/** Rotary position embeddings. */
public final class RopeKernels {

    /** Heads that share one load of cos and sin. */
    private static final int HEADS_PER_THREAD = 4;

    private final Stream stream;
    private final KernelEntry rope;

    public RopeKernels(Stream stream) {
        this(stream, KernelFiles.module("rope.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    RopeKernels(Stream stream, KernelModule kernels) {
        this.stream = stream;
        rope = kernels.entry("rope");
    }

    /**
     * Rotates the first {@code 2 d} elements of each head of each token (Su et al., arXiv 2104.09864), in the half-split convention of transformers: with
     * {@code d = cos.columns()}, {@code out[i] = x[i] cos[i] - x[i + d] sin[i]} and {@code out[i + d] = x[i + d] cos[i] + x[i]
     * sin[i]}. Token {@code t} stands at position {@code t % cos.rows()}, so rows of {@code cos} are a sequence's positions. What a head has beyond {@code 2 d} is not written.
     *
     * @param in F32 [tokens, heads * headDim]; may be a window of a wider matrix
     * @param headDim elements from head to head, at least {@code 2 d}
     * @param cos F32 [sequence length, d], dense
     * @param sin as {@code cos}
     * @param out F32, F16 or BF16 [tokens, heads * headDim], dense
     */
    public void rotate(DeviceMatrix in, int headDim, DeviceMatrix cos, DeviceMatrix sin, DeviceMatrix out) {
        TypeCode.require(in, DType.F32, in.rows(), in.columns());
        TypeCode.require(cos, DType.F32, cos.rows(), cos.columns());
        TypeCode.require(sin, DType.F32, cos.rows(), cos.columns());
        TypeCode.require(out, in.rows(), in.columns());
        TypeCode.requireDense(cos, sin, out);
        if (cos.columns() == 0 || headDim < 2 * cos.columns() || in.columns() % headDim != 0) {
            throw new IllegalArgumentException(
                    in + " does not hold heads of " + headDim + " that begin with " + cos.columns() + " pairs");
        }
        if (in.elementCount() == 0) {
            return;
        }
        if (cos.rows() == 0) {
            throw new IllegalArgumentException(cos + " has no positions");
        }
        stream.launch(
                rope,
                shape(in.rows(), in.columns() / headDim, cos.columns()),
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
                        .int32(cos.columns())
                        .int32(cos.rows()));
    }

    private static LaunchShape shape(int tokens, int heads, int pairs) {
        int down = Math.min(Grids.ceilDiv(heads, HEADS_PER_THREAD), Grids.ENOUGH_BLOCKS);
        int across = Grids.ceilDiv(tokens, Grids.THREADS / Grids.threadsPerRow(pairs));
        return LaunchShape.grid(Math.min(across, Grids.ENOUGH_BLOCKS / down), down, Grids.THREADS);
    }
}
