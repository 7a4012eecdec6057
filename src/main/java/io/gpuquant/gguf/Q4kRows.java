package io.gpuquant.gguf;

import org.jspecify.annotations.Nullable;

/**
 * Rows of Q4_K or Q5_K: groups of 32 weights; both units; scales and minima of six bits; for Q5_K the fifth bits of levels;
 * their lower four bits.
 */
final class Q4kRows implements RowQuantizer {

    private static final int SCALES_AT = 4;
    private static final int LEVELS_AT = 16;
    private static final int BYTES_OF_FIFTH_BITS = 32;

    private final GgmlType type;
    private final AffineSuperBlock block;

    Q4kRows(GgmlType type) {
        this.type = type;
        block = new AffineSuperBlock(type);
    }

    @Override
    public void quantize(float[] row, float @Nullable [] importance, byte[] blocks) {
        int at = 0;
        for (int from = 0; from < row.length; from += SuperBlocks.SIZE) {
            block.quantize(row, from, importance);
            Rounding.putShort(blocks, at, block.unit());
            Rounding.putShort(blocks, at + 2, block.minUnit());
            SuperBlocks.putSixBits(blocks, at + SCALES_AT, block);
            int lower = at + LEVELS_AT;
            if (type == GgmlType.Q5_K) {
                SuperBlocks.putBits(blocks, lower, block.levels(), 4);
                lower += BYTES_OF_FIFTH_BITS;
            }
            SuperBlocks.putNibbles(blocks, lower, block.levels());
            at += type.blockBytes();
        }
    }
}
