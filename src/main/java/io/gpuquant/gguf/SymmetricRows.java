package io.gpuquant.gguf;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Rows of Q4_0 or Q5_0: 32 weights as {@code d · (q - half)}. */
final class SymmetricRows implements RowQuantizer {

    private static final int SIZE = LegacyBlock.SIZE;

    private final GgmlType type;
    private final int half;
    private final float[] weights = new float[SIZE];
    private final float[] x = new float[SIZE];
    private final byte[] levels = new byte[SIZE];

    SymmetricRows(GgmlType type) {
        this.type = type;
        half = type == GgmlType.Q4_0 ? 8 : 16;
    }

    @Override
    public void quantize(float[] row, float @Nullable [] importance, byte[] blocks) {
        float spread = importance == null ? 0 : ElementWeights.sumOfSquares(row, 0, row.length) / row.length;
        for (int from = 0, at = 0; from < row.length; from += SIZE, at += type.blockBytes()) {
            float scale;
            if (importance == null) {
                scale = round(row, from);
            } else {
                System.arraycopy(row, from, x, 0, SIZE);
                ElementWeights.important(row, from, SIZE, importance, spread, weights);
                scale = SymmetricFit.search(x, weights, half, levels, 0);
            }
            Rounding.putShort(blocks, at, Rounding.half(scale));
            LegacyBlock.putLevels(blocks, at + 2, type == GgmlType.Q5_0, levels);
        }
    }

    private float round(float[] row, int from) {
        float scale = SymmetricFit.signedLargest(row, from, SIZE) / -half;
        float inverse = LegacyBlock.inverse(scale);
        if (Float.isInfinite(inverse)) {
            Arrays.fill(levels, (byte) 0);
            return scale;
        }
        for (int i = 0; i < SIZE; i++) {
            levels[i] = (byte) Math.min(2 * half - 1, (int) (row[from + i] * inverse + (half + 0.5f)));
        }
        return scale;
    }
}
