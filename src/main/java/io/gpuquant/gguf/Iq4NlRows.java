package io.gpuquant.gguf;

import org.jspecify.annotations.Nullable;

/** Rows of IQ4_NL: 32 weights as a scale times values of the codebook, packed like Q4_0. */
final class Iq4NlRows implements RowQuantizer {

    private static final int SIZE = LegacyBlock.SIZE;

    private final float[] x = new float[SIZE];
    private final float[] weights = new float[SIZE];
    private final byte[] levels = new byte[SIZE];

    @Override
    public void quantize(float[] row, float @Nullable [] importance, byte[] blocks) {
        for (int from = 0, at = 0; from < row.length; from += SIZE, at += GgmlType.IQ4_NL.blockBytes()) {
            System.arraycopy(row, from, x, 0, SIZE);
            if (importance == null) {
                ElementWeights.squares(row, from, SIZE, weights);
            } else {
                float spread = ElementWeights.sumOfSquares(row, from, SIZE) * (2f / SIZE);
                ElementWeights.important(row, from, SIZE, importance, spread, weights);
            }
            float scale = Codebook.searchScale(x, weights);
            float inverse = scale != 0 ? 1 / scale : 0;
            for (int i = 0; i < SIZE; i++) {
                levels[i] = (byte) Codebook.level(inverse * x[i]);
            }
            Rounding.putShort(blocks, at, Rounding.half(scale));
            LegacyBlock.putLevels(blocks, at + 2, false, levels);
        }
    }
}
