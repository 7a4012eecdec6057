package io.gpuquant.gguf;

/**
 * Blocks of 32 weights with one scale: d as float16; for the affine types the minimum m as float16; for the types of five bits
 * the upper bits, that of weight i in bit i of 32; then lower bits, byte j those of weight j and, above them, of weight j + 16.
 */
final class LegacyBlock {

    static final int SIZE = 32;
    private static final int HALF = 16;

    private LegacyBlock() {}

    /** One over a scale, zero for zero; infinite for a scale so small that ggml makes all levels zero. */
    static float inverse(float scale) {
        return scale != 0 ? 1 / scale : 0;
    }

    /** Writes upper bits, if levels have five, and lower bits. */
    static void putLevels(byte[] blocks, int at, boolean fiveBits, byte[] levels) {
        int lower = at;
        if (fiveBits) {
            int upper = 0;
            for (int i = 0; i < SIZE; i++) {
                upper |= (levels[i] >> 4 & 1) << i;
            }
            Rounding.putShort(blocks, at, upper);
            Rounding.putShort(blocks, at + 2, upper >> 16);
            lower += 4;
        }
        for (int j = 0; j < HALF; j++) {
            blocks[lower + j] = (byte) (levels[j] & 15 | (levels[j + HALF] & 15) << 4);
        }
    }
}
