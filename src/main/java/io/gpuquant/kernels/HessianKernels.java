package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;

/** From a Gram matrix to the triangular factor that GPTQ works with. */
public final class HessianKernels {

    /** The widest diagonal block that {@link #factorDiagonal} takes. */
    public static final int BLOCK = 128;

    /** Rows, and columns, of a tile that a block of {@code symmetrize} moves. */
    private static final int SYMMETRIZE_TILE = 32;

    /** Rows that a thread of {@code hessian_prepare} works on. */
    private static final int ROWS_PER_THREAD = 16;

    /** Floats of shared memory for a row of a block: the widest, and four more so that rows do not meet in a bank. */
    private static final int FACTOR_ROW = BLOCK + 4;

    /** Columns that the factorization takes at a time; a block is padded to a multiple of it. */
    private static final int FACTOR_PANEL = 4;

    private final Stream stream;
    private final KernelEntry symmetrize;
    private final KernelEntry prepare;
    private final KernelEntry factor;

    public HessianKernels(Stream stream) {
        this(stream, KernelFiles.module("hessian.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    HessianKernels(Stream stream, KernelModule kernels) {
        this.stream = stream;
        symmetrize = kernels.entry("symmetrize");
        prepare = kernels.entry("hessian_prepare");
        factor = kernels.entry("cholesky_reversed_block");
    }

    /**
     * Copies the part above the diagonal to below it.
     *
     * @param matrix F32 [n, n], dense
     */
    public void symmetrize(DeviceMatrix matrix) {
        int n = matrix.rows();
        TypeCode.require(matrix, DType.F32, n, n);
        TypeCode.requireDense(matrix);
        if (n == 0) {
            return;
        }
        int tiles = Grids.ceilDiv(n, SYMMETRIZE_TILE);
        stream.launch(
                symmetrize,
                LaunchShape.grid(tiles + 1, Math.min(Grids.ceilDiv(tiles, 2), Grids.MOST_BLOCKS_Y), Grids.THREADS),
                new KernelArguments().matrix(matrix).int32(n));
    }

    /**
     * Reorders a Gram matrix, damps it and revives dead columns: for {@code i <= j}, {@code hessian[i, j] = gram[order[i],
     * order[j]]}, plus {@code damping} on the diagonal; a diagonal entry whose Gram entry is zero becomes one instead. Below
     * the diagonal the result is zero.
     *
     * @param gram F32 [n, n], symmetric
     * @param order I32 [1, n], a permutation
     * @param hessian F32 [n, n], dense, other memory than {@code gram}
     */
    public void prepare(DeviceMatrix gram, DeviceMatrix order, float damping, DeviceMatrix hessian) {
        int n = gram.rows();
        TypeCode.require(gram, DType.F32, n, n);
        TypeCode.require(order, DType.I32, 1, n);
        TypeCode.require(hessian, DType.F32, n, n);
        TypeCode.requireDense(gram, hessian);
        stream.launch(
                prepare,
                Grids.columnsByRows(n, Grids.ceilDiv(n, ROWS_PER_THREAD)),
                new KernelArguments()
                        .matrix(hessian)
                        .matrix(gram)
                        .matrix(order)
                        .int32(n)
                        .float32(damping));
    }

    /**
     * Factors a symmetric positive definite diagonal block as {@code H = R Rᵀ} with R upper triangular, and inverts R.
     *
     * @param block F32 [n, n] with n at most {@link #BLOCK}, a window of the matrix; its upper triangle is read, and the
     *     whole is overwritten by R with exact zeros below the diagonal
     * @param inverse F32 [n, n], dense; gets R⁻¹ with exact zeros below the diagonal
     * @param status I32 [1, 1]; untouched if all pivots are positive and finite, else set to {@code offset} plus one plus
     *     the index of the first that is not, counted from the last column down, where the block is abandoned
     * @param offset what the block's first column is in the whole matrix
     */
    public void factorDiagonal(DeviceMatrix block, DeviceMatrix inverse, DeviceMatrix status, int offset) {
        int n = block.rows();
        if (n < 1 || n > BLOCK) {
            throw new IllegalArgumentException("a diagonal block of " + n);
        }
        TypeCode.require(block, DType.F32, n, n);
        TypeCode.require(inverse, DType.F32, n, n);
        TypeCode.require(status, DType.I32, 1, 1);
        TypeCode.requireDense(inverse);
        stream.launch(
                factor,
                LaunchShape.linear(1, Grids.THREADS).withDynamicShared(factorSharedBytes(n)),
                new KernelArguments()
                        .matrix(block)
                        .int32(block.stride())
                        .matrix(inverse)
                        .int32(n)
                        .matrix(status)
                        .int32(offset));
    }

    private static int factorSharedBytes(int n) {
        return Grids.ceilDiv(n, FACTOR_PANEL) * FACTOR_PANEL * FACTOR_ROW * Float.BYTES;
    }
}
