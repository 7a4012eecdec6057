package io.gpuquant.gguf;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Rows of Q4_1 or Q5_1: 32 weights as {@code d · q + m}. */
final class AffineRows implements RowQuantizer {

    private static final int SIZE = LegacyBlock.SIZE;

    private final GgmlType type;
    private final int largest;
    private final AffineFit fit;
    private final float[] weights = new float[SIZE];
    private final float[] x = new float[SIZE];
    private final byte[] levels = new byte[SIZE];

    AffineRows(GgmlType type) {
        this.type = type;
        largest = type == GgmlType.Q4_1 ? 15 : 31;
        fit = new AffineFit(AffineFit.Search.fine(largest));
    }

    @Override
    public void quantize(float[] row, float @Nullable [] importance, byte[] blocks) {
        float spread = importance == null ? 0 : ElementWeights.sumOfSquares(row, 0, row.length) / row.length;
        for (int from = 0, at = 0; from < row.length; from += SIZE, at += type.blockBytes()) {
            if (importance == null) {
                round(row, from, blocks, at);
            } else {
                System.arraycopy(row, from, x, 0, SIZE);
                ElementWeights.important(row, from, SIZE, importance, spread, weights);
                fit.fit(x, weights, levels, 0);
                Rounding.putShort(blocks, at, Rounding.half(fit.scale()));
                Rounding.putShort(blocks, at + 2, Rounding.half(-fit.min()));
            }
            LegacyBlock.putLevels(blocks, at + 4, type == GgmlType.Q5_1, levels);
        }
    }

    private void round(float[] row, int from, byte[] blocks, int at) {
        float min = Float.MAX_VALUE;
        float max = -Float.MAX_VALUE;
        for (int i = from; i < from + SIZE; i++) {
            min = row[i] < min ? row[i] : min;
            max = row[i] > max ? row[i] : max;
        }
        float scale = (max - min) / largest;
        float inverse = LegacyBlock.inverse(scale);
        if (Float.isInfinite(inverse)) {
            Arrays.fill(levels, (byte) 0);
        } else {
            for (int i = 0; i < SIZE; i++) {
                levels[i] = (byte) Math.min(largest, (int) ((row[from + i] - min) * inverse + 0.5f));
            }
        }
        Rounding.putShort(blocks, at, Rounding.half(scale));
        Rounding.putShort(blocks, at + 2, Rounding.half(min));
    }
}
