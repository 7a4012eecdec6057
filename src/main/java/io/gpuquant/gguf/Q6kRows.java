package io.gpuquant.gguf;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Rows of Q6_K: groups of 16 weights; lower four bits of levels, upper two bits, 16 signed bytes of scale, the unit. */
final class Q6kRows implements RowQuantizer {

    private static final int HALF = 32;
    private static final int UPPER_AT = 128;
    private static final int SCALES_AT = 192;
    private static final int UNIT_AT = 208;

    private final SymmetricSuperBlock block = new SymmetricSuperBlock(HALF);
    private final byte[] codes = new byte[SymmetricSuperBlock.GROUPS];

    @Override
    public void quantize(float[] row, float @Nullable [] importance, byte[] blocks) {
        int size = GgmlType.Q6_K.blockBytes();
        int at = 0;
        for (int from = 0; from < row.length; from += SuperBlocks.SIZE) {
            fit(row, from, importance);
            float largest = SymmetricFit.signedLargest(block.scales, 0, codes.length);
            if (Math.abs(largest) < Rounding.NEGLIGIBLE) {
                Arrays.fill(blocks, at, at + size, (byte) 0);
            } else {
                put(row, from, -128f / largest, blocks, at);
            }
            at += size;
        }
    }

    private void fit(float[] row, int from, float @Nullable [] importance) {
        for (int group = 0; group < codes.length; group++) {
            int first = group * SymmetricSuperBlock.GROUP;
            block.load(row, from, group);
            if (importance == null) {
                ElementWeights.squares(row, from + first, SymmetricSuperBlock.GROUP, block.weights);
            } else {
                System.arraycopy(importance, from + first, block.weights, 0, SymmetricSuperBlock.GROUP);
            }
            block.scales[group] = SymmetricFit.search(block.x, block.weights, HALF, block.levels, first);
        }
    }

    private void put(float[] row, int from, float inverse, byte[] blocks, int at) {
        for (int group = 0; group < codes.length; group++) {
            codes[group] = (byte) Math.min(127, Rounding.nearest(inverse * block.scales[group]));
        }
        block.roundAgain(row, from, Rounding.throughHalf(1 / inverse), codes);
        putLower(blocks, at);
        SuperBlocks.putPairsOfBits(blocks, at + UPPER_AT, block.levels, 4);
        System.arraycopy(codes, 0, blocks, at + SCALES_AT, codes.length);
        Rounding.putShort(blocks, at + UNIT_AT, Rounding.half(1 / inverse));
    }

    /** Byte l of the 64 of either half has the lower bits of the weights l and, above them, l + 64 of the half. */
    private void putLower(byte[] blocks, int at) {
        for (int half = 0; half < 2; half++) {
            for (int l = 0; l < 64; l++) {
                int first = 128 * half + l;
                blocks[at + 64 * half + l] = (byte) (block.levels[first] & 15 | (block.levels[first + 64] & 15) << 4);
            }
        }
    }
}
