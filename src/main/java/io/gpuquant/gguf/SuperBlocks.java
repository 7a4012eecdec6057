package io.gpuquant.gguf;

/** How levels and scales of blocks of 256 weights are packed. */
final class SuperBlocks {

    static final int SIZE = 256;
    private static final int SIX_BIT_SCALES = 8;

    private SuperBlocks() {}

    /**
     * Two bits of each level: byte l of the 32 of either half has those of the weights l, l + 32, l + 64 and l + 96 of the half,
     * from its low bits up.
     */
    static void putPairsOfBits(byte[] blocks, int at, byte[] levels, int shift) {
        for (int half = 0; half < 2; half++) {
            for (int l = 0; l < 32; l++) {
                int packed = 0;
                for (int quarter = 0; quarter < 4; quarter++) {
                    packed |= (levels[128 * half + 32 * quarter + l] >> shift & 3) << 2 * quarter;
                }
                blocks[at + 32 * half + l] = (byte) packed;
            }
        }
    }

    /** Four bits of each level: byte l of the 32 of each quarter has those of the weights l and, above them, l + 32. */
    static void putNibbles(byte[] blocks, int at, byte[] levels) {
        for (int quarter = 0; quarter < 4; quarter++) {
            for (int l = 0; l < 32; l++) {
                int first = 64 * quarter + l;
                blocks[at + 32 * quarter + l] = (byte) (levels[first] & 15 | (levels[first + 32] & 15) << 4);
            }
        }
    }

    /** One bit of each level: bit g of byte l is that of the weight 32 g + l. */
    static void putBits(byte[] blocks, int at, byte[] levels, int shift) {
        for (int l = 0; l < 32; l++) {
            int packed = 0;
            for (int group = 0; group < 8; group++) {
                packed |= (levels[32 * group + l] >> shift & 1) << group;
            }
            blocks[at + l] = (byte) packed;
        }
    }

    /**
     * Eight scales and eight minima of six bits in twelve bytes: the first four of each have a byte, whose upper two bits are
     * the upper bits of the last four; the lower bits of those share a byte.
     */
    static void putSixBits(byte[] blocks, int at, AffineSuperBlock block) {
        for (int group = 0; group < SIX_BIT_SCALES / 2; group++) {
            int last = group + SIX_BIT_SCALES / 2;
            blocks[at + group] = (byte) (block.scale(group) | block.scale(last) >> 4 << 6);
            blocks[at + 4 + group] = (byte) (block.min(group) | block.min(last) >> 4 << 6);
            blocks[at + 8 + group] = (byte) (block.scale(last) & 15 | (block.min(last) & 15) << 4);
        }
    }
}
