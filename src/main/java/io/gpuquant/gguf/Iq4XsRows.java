package io.gpuquant.gguf;

import org.jspecify.annotations.Nullable;

/**
 * Rows of IQ4_XS: 256 weights in groups of 32, each with a signed scale of six bits, times values of the codebook; the unit of
 * scales, their upper two bits, their lower four bits, then every group like a block of IQ4_NL.
 */
final class Iq4XsRows implements RowQuantizer {

    private static final int GROUP = 32;
    private static final int GROUPS = SuperBlocks.SIZE / GROUP;
    private static final int HALF_SCALE = 32;
    private static final int LOWER_AT = 4;
    private static final int LEVELS_AT = 8;

    private final float[] x = new float[GROUP];
    private final float[] weights = new float[GROUP];
    private final float[] scales = new float[GROUPS];
    private final byte[] levels = new byte[GROUP];

    @Override
    public void quantize(float[] row, float @Nullable [] importance, byte[] blocks) {
        int at = 0;
        for (int from = 0; from < row.length; from += SuperBlocks.SIZE) {
            fit(row, from, importance);
            put(row, from, blocks, at);
            at += GgmlType.IQ4_XS.blockBytes();
        }
    }

    private void fit(float[] row, int from, float @Nullable [] importance) {
        float spread = ElementWeights.sumOfSquares(row, from, SuperBlocks.SIZE) * (2f / SuperBlocks.SIZE);
        for (int group = 0; group < GROUPS; group++) {
            int first = from + group * GROUP;
            System.arraycopy(row, first, x, 0, GROUP);
            if (importance == null) {
                ElementWeights.squares(row, first, GROUP, weights);
            } else {
                ElementWeights.important(row, first, GROUP, importance, spread, weights);
            }
            scales[group] = Codebook.searchScale(x, weights);
        }
    }

    private void put(float[] row, int from, byte[] blocks, int at) {
        float unit = -SymmetricFit.signedLargest(scales, 0, GROUPS) / HALF_SCALE;
        float inverse = unit != 0 ? 1 / unit : 0;
        Rounding.putShort(blocks, at, Rounding.half(unit));
        int upper = 0;
        for (int group = 0; group < GROUPS; group++) {
            int scale = Rounding.nearest(inverse * scales[group], -HALF_SCALE, HALF_SCALE - 1);
            int code = scale + HALF_SCALE;
            upper |= code >> 4 << 2 * group;
            int lower = at + LOWER_AT + group / 2;
            blocks[lower] = (byte) (group % 2 == 0 ? code & 15 : blocks[lower] | (code & 15) << 4);
            round(row, from + group * GROUP, unit * scale);
            LegacyBlock.putLevels(blocks, at + LEVELS_AT + group * GROUP / 2, false, levels);
        }
        Rounding.putShort(blocks, at + 2, upper);
    }

    private void round(float[] row, int first, float scale) {
        float inverse = scale != 0 ? 1 / scale : 0;
        for (int i = 0; i < GROUP; i++) {
            levels[i] = (byte) Codebook.level(inverse * row[first + i]);
        }
    }
}
