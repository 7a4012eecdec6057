package io.gpuquant.gguf;

import org.jspecify.annotations.Nullable;

/**
 * Rows of weights into the blocks of one type, byte for byte as ggml's reference quantizers on x86-64 write them: float32 in a
 * fixed order, no fused operations (ggml, {@code ggml-quants.c}). Keeps scratch memory, so a thread needs its own.
 */
interface RowQuantizer {

    /**
     * Quantizes a row.
     *
     * @param row finite weights that fill whole blocks
     * @param importance a non-negative number for each column, the mean square of the column's input; null where none is known.
     *     Types without a search ignore it
     * @param blocks where the row's blocks go, from the start
     */
    void quantize(float[] row, float @Nullable [] importance, byte[] blocks);

    /** A new quantizer. */
    static RowQuantizer of(GgmlType type) {
        return switch (type) {
            case F32, F16, BF16 -> new PlainRows(type);
            case Q8_0 -> new Q8Rows();
            case Q4_0, Q5_0 -> new SymmetricRows(type);
            case Q4_1, Q5_1 -> new AffineRows(type);
            case Q2_K -> new Q2kRows();
            case Q3_K -> new Q3kRows();
            case Q4_K, Q5_K -> new Q4kRows(type);
            case Q6_K -> new Q6kRows();
            case IQ4_NL -> new Iq4NlRows();
            case IQ4_XS -> new Iq4XsRows();
        };
    }
}
