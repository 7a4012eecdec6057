package io.gpuquant.gguf;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Rows of Q3_K: groups of 16 weights; the third bits of levels, their lower bits, 16 scales of six bits, the unit. */
final class Q3kRows implements RowQuantizer {

    private static final int HALF = 4;
    private static final int HALF_SCALE = 32;
    private static final int LEVELS_AT = 32;
    private static final int SCALES_AT = 96;
    private static final int UNIT_AT = 108;

    private final SymmetricSuperBlock block = new SymmetricSuperBlock(HALF);
    private final float[] groupWeights = new float[SymmetricSuperBlock.GROUPS];
    private final byte[] codes = new byte[SymmetricSuperBlock.GROUPS];

    @Override
    public void quantize(float[] row, float @Nullable [] importance, byte[] blocks) {
        int at = 0;
        for (int from = 0; from < row.length; from += SuperBlocks.SIZE) {
            float unit = importance == null ? fit(row, from) : fit(row, from, importance);
            putScales(blocks, at + SCALES_AT);
            Rounding.putShort(blocks, at + UNIT_AT, Rounding.half(unit));
            for (int group = 0; group < codes.length; group++) {
                codes[group] -= HALF_SCALE;
            }
            block.roundAgain(row, from, Rounding.throughHalf(unit), codes);
            SuperBlocks.putBits(blocks, at, block.levels, 2);
            SuperBlocks.putPairsOfBits(blocks, at + LEVELS_AT, block.levels, 0);
            at += GgmlType.Q3_K.blockBytes();
        }
    }

    /** Finds levels and scales, and makes codes of the scales. */
    private float fit(float[] row, int from) {
        for (int group = 0; group < codes.length; group++) {
            block.load(row, from, group);
            block.scales[group] = SymmetricFit.descend(block.x, HALF, block.levels, group * SymmetricSuperBlock.GROUP);
        }
        float largest = SymmetricFit.signedLargest(block.scales, 0, codes.length);
        if (largest == 0) {
            Arrays.fill(codes, (byte) 0);
            return 0;
        }
        float inverse = -HALF_SCALE / largest;
        for (int group = 0; group < codes.length; group++) {
            codes[group] =
                    (byte) (HALF_SCALE + Rounding.nearest(inverse * block.scales[group], -HALF_SCALE, HALF_SCALE - 1));
        }
        return 1 / inverse;
    }

    private float fit(float[] row, int from, float[] importance) {
        float spread = 2 * ElementWeights.sumOfSquares(row, from, SuperBlocks.SIZE) / SuperBlocks.SIZE;
        for (int group = 0; group < codes.length; group++) {
            int first = group * SymmetricSuperBlock.GROUP;
            block.load(row, from, group);
            ElementWeights.important(row, from + first, SymmetricSuperBlock.GROUP, importance, spread, block.weights);
            groupWeights[group] = ElementWeights.sum(block.weights, SymmetricSuperBlock.GROUP);
            block.scales[group] = SymmetricFit.search(block.x, block.weights, HALF, block.levels, first);
        }
        return SymmetricFit.search(block.scales, groupWeights, HALF_SCALE, codes, 0);
    }

    /** Lower four bits of the scales j and, above them, j + 8 in byte j of eight; upper two bits of j, j + 4, j + 8, j + 12 in one. */
    private void putScales(byte[] blocks, int at) {
        for (int j = 0; j < 8; j++) {
            blocks[at + j] = (byte) (codes[j] & 15 | (codes[j + 8] & 15) << 4);
        }
        for (int j = 0; j < 4; j++) {
            blocks[at + 8 + j] =
                    (byte) (codes[j] >> 4 | codes[j + 4] >> 4 << 2 | codes[j + 8] >> 4 << 4 | codes[j + 12] >> 4 << 6);
        }
    }
}
