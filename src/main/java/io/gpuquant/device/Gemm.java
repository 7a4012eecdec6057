package io.gpuquant.device;

import io.gpuquant.tensor.DType;

/**
 * A matrix product, row-major: {@code C[M, N] = alpha * op(A)[M, K] * op(B)[K, N] + beta * C}, accumulated in float32.
 * A and B share one of the types F32, F16 and BF16; C is F32. Products of half types are exact, and so is their sum up to
 * float32 rounding; F32 operands are not rounded to a narrower type unless {@code rounding} lets them be.
 *
 * @param transposeA whether op(A) is the transpose of the stored matrix
 * @param transposeB whether op(B) is the transpose of the stored matrix
 * @param batch how many products there are; matrices of the others lie at multiples of the batch strides
 * @param batchStrideA elements between the first elements of consecutive A; may be zero
 * @param batchStrideB elements between the first elements of consecutive B; may be zero
 * @param batchStrideC elements between the first elements of consecutive C
 * @param rounding what may be done to F32 operands
 */
public record Gemm(
        DeviceMatrix a,
        boolean transposeA,
        DeviceMatrix b,
        boolean transposeB,
        DeviceMatrix c,
        float alpha,
        float beta,
        int batch,
        long batchStrideA,
        long batchStrideB,
        long batchStrideC,
        Rounding rounding) {

    /** What may be done to operands of F32 where that is faster. */
    public enum Rounding {
        /** Nothing. */
        NONE,
        /** To TF32, which has 10 bits behind the point, as F16 has: for sums of which only the first three digits matter. */
        TF32
    }

    public Gemm {
        if (!a.dtype().isComputeType() || a.dtype() != b.dtype() || c.dtype() != DType.F32) {
            throw new IllegalArgumentException("types of a product: " + a + ", " + b + " -> " + c);
        }
        int m = transposeA ? a.columns() : a.rows();
        int k = transposeA ? a.rows() : a.columns();
        int kOfB = transposeB ? b.columns() : b.rows();
        int n = transposeB ? b.rows() : b.columns();
        if (k != kOfB || m != c.rows() || n != c.columns()) {
            throw new IllegalArgumentException("shapes of a product: " + (transposeA ? "transposed " : "") + a + ", "
                    + (transposeB ? "transposed " : "") + b + " -> " + c);
        }
        if (batch < 1) {
            throw new IllegalArgumentException("a batch of " + batch);
        }
        requireInside(a, batch, batchStrideA);
        requireInside(b, batch, batchStrideB);
        requireInside(c, batch, batchStrideC);
    }

    /** {@code C = A * B}. */
    public static Gemm of(DeviceMatrix a, DeviceMatrix b, DeviceMatrix c) {
        return new Gemm(a, false, b, false, c, 1, 0, 1, 0, 0, 0, Rounding.NONE);
    }

    /** {@code C = A * Bᵀ}: activations times a weight stored [out, in]. */
    public static Gemm ofTransposedB(DeviceMatrix a, DeviceMatrix b, DeviceMatrix c) {
        return new Gemm(a, false, b, true, c, 1, 0, 1, 0, 0, 0, Rounding.NONE);
    }

    /** {@code C = Aᵀ * B}. */
    public static Gemm ofTransposedA(DeviceMatrix a, DeviceMatrix b, DeviceMatrix c) {
        return new Gemm(a, true, b, false, c, 1, 0, 1, 0, 0, 0, Rounding.NONE);
    }

    /** The same product scaled, added to {@code beta} times what C holds. */
    public Gemm scaled(float newAlpha, float newBeta) {
        return new Gemm(
                a,
                transposeA,
                b,
                transposeB,
                c,
                newAlpha,
                newBeta,
                batch,
                batchStrideA,
                batchStrideB,
                batchStrideC,
                rounding);
    }

    /** The same product for {@code count} sets of matrices. */
    public Gemm batched(int count, long strideA, long strideB, long strideC) {
        return new Gemm(a, transposeA, b, transposeB, c, alpha, beta, count, strideA, strideB, strideC, rounding);
    }

    /** The same product, of which operands may be rounded. */
    public Gemm rounded(Rounding allowed) {
        return new Gemm(
                a, transposeA, b, transposeB, c, alpha, beta, batch, batchStrideA, batchStrideB, batchStrideC, allowed);
    }

    /** Rows of C. */
    public int m() {
        return c.rows();
    }

    /** Columns of C. */
    public int n() {
        return c.columns();
    }

    /** Length of the sums. */
    public int k() {
        return transposeA ? a.rows() : a.columns();
    }

    private static void requireInside(DeviceMatrix matrix, int batch, long batchStride) {
        if (batchStride < 0) {
            throw new IllegalArgumentException("a batch stride of " + batchStride + " for " + matrix);
        }
        if (matrix.elementCount() > 0) {
            long elements = (batch - 1) * batchStride + (long) (matrix.rows() - 1) * matrix.stride() + matrix.columns();
            if (matrix.byteOffset() + matrix.dtype().bytes(elements)
                    > matrix.buffer().byteSize()) {
                throw new IllegalArgumentException("a batch of " + batch + " with stride " + batchStride
                        + " ends outside the buffer of " + matrix);
            }
        }
    }
}
