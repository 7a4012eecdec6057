package io.gpuquant.device;

/** Matrix products of a device. */
public interface Blas {

    /**
     * Rows of X that one product sums over in {@link #addGram}. Tensor cores truncate while they add, so a chain over all
     * tokens of a calibration set would bias the diagonal of G by tenths of a percent; a sum of this many, added to a
     * float32 that rounds to nearest, keeps the bias below 3e-5.
     */
    int GRAM_CHAIN = 2048;

    /** Columns of G that one product of {@link #addGram} covers. */
    int GRAM_PANEL = 1024;

    /** Which library computes, and its version, in words. */
    String description();

    /** Device memory that is taken for every stream that products are queued on, at the first of them. */
    default long bytesPerStream() {
        return 0;
    }

    /** Queues a product on a stream of the same device. */
    void gemm(Stream stream, Gemm gemm);

    /**
     * Queues {@code G += Xᵀ X} for X of [tokens, n] and G of F32 [n, n]. On and above the diagonal G is right; below it
     * anything may be written.
     */
    default void addGram(Stream stream, DeviceMatrix x, DeviceMatrix g) {
        for (int token = 0; token < x.rows(); token += GRAM_CHAIN) {
            DeviceMatrix rows = x.rows(token, Math.min(GRAM_CHAIN, x.rows() - token));
            for (int column = 0; column < x.columns(); column += GRAM_PANEL) {
                int width = Math.min(GRAM_PANEL, x.columns() - column);
                int height = column + width;
                gemm(
                        stream,
                        Gemm.ofTransposedA(
                                        rows.columns(0, height),
                                        rows.columns(column, width),
                                        g.rows(0, height).columns(column, width))
                                .scaled(1, 1));
            }
        }
    }
}
