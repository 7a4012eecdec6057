package io.gpuquant.gguf;

import org.jspecify.annotations.Nullable;

/** Rows of Q8_0: 32 weights as {@code d · q}; d as float16, then the signed bytes q. */
final class Q8Rows implements RowQuantizer {

    private static final int SIZE = GgmlType.Q8_0.blockSize();
    private static final int LARGEST = 127;

    @Override
    public void quantize(float[] row, float @Nullable [] importance, byte[] blocks) {
        for (int from = 0, at = 0; from < row.length; from += SIZE, at += GgmlType.Q8_0.blockBytes()) {
            float scale = Math.abs(SymmetricFit.signedLargest(row, from, SIZE)) / LARGEST;
            float inverse = LegacyBlock.inverse(scale);
            Rounding.putShort(blocks, at, Rounding.half(scale));
            float factor = Float.isInfinite(inverse) ? 0 : inverse;
            for (int i = 0; i < SIZE; i++) {
                blocks[at + 2 + i] = (byte) halfAwayFromZero(row[from + i] * factor);
            }
        }
    }

    private static int halfAwayFromZero(float value) {
        int whole = (int) value;
        float rest = value - whole;
        return rest >= 0.5f ? whole + 1 : rest <= -0.5f ? whole - 1 : whole;
    }
}
