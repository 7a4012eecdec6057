package io.gpuquant.gguf;

import org.jspecify.annotations.Nullable;

/** Rows of Q2_K: groups of 16 weights; 16 bytes of scale and, above it, minimum; levels of two bits; both units. */
final class Q2kRows implements RowQuantizer {

    private static final int GROUP = 16;
    private static final int LEVELS_AT = 16;
    private static final int UNITS_AT = 80;

    private final AffineSuperBlock block = new AffineSuperBlock(GgmlType.Q2_K);

    @Override
    public void quantize(float[] row, float @Nullable [] importance, byte[] blocks) {
        int at = 0;
        for (int from = 0; from < row.length; from += SuperBlocks.SIZE) {
            block.quantize(row, from, importance);
            for (int group = 0; group < SuperBlocks.SIZE / GROUP; group++) {
                blocks[at + group] = (byte) (block.scale(group) | block.min(group) << 4);
            }
            SuperBlocks.putPairsOfBits(blocks, at + LEVELS_AT, block.levels(), 0);
            Rounding.putShort(blocks, at + UNITS_AT, block.unit());
            Rounding.putShort(blocks, at + UNITS_AT + 2, block.minUnit());
            at += GgmlType.Q2_K.blockBytes();
        }
    }
}
