package io.gpuquant.gguf;

/**
 * Of which bits the bytes of a block consist. A block is described by the levels of its weights, the integer scales and minima
 * of its groups, and one or two units; every byte is put together from at most {@value #PIECES} pieces of these.
 *
 * <p>A piece is a number: from bit 0 up, nine bits of source, three of how many bits to drop, eight of mask, three of how far
 * to move up. Sources are the level of weight i of the block (i), the scale ({@code SCALES + g}) and minimum
 * ({@code MINS + g}) of group g, and the two bytes of the units' float16. Zero is no piece.
 */
public final class BlockLayout {

    /** Pieces of a byte. */
    public static final int PIECES = 8;

    private static final int SCALES = 256;
    private static final int MINS = 272;
    private static final int UNIT = 288;
    private static final int MIN_UNIT = 290;
    private static final int NEGATED_MIN_UNIT = 292;

    private final int[] pieces;
    private int at;

    private BlockLayout(GgmlType type) {
        pieces = new int[type.blockBytes() * PIECES];
    }

    /** The pieces of each byte of a block, those of byte b from {@code PIECES * b} on, followed by zeros. */
    public static int[] pieces(GgmlType type) {
        BlockLayout layout = new BlockLayout(type);
        switch (type) {
            case Q8_0 -> layout.unit(UNIT).bytes(0, 32);
            case Q4_0, IQ4_NL -> layout.unit(UNIT).nibbles(0, 16, 1);
            case Q4_1 -> layout.unit(UNIT).unit(NEGATED_MIN_UNIT).nibbles(0, 16, 1);
            case Q5_0 -> layout.unit(UNIT).fifthBits().nibbles(0, 16, 1);
            case Q5_1 -> layout.unit(UNIT).unit(NEGATED_MIN_UNIT).fifthBits().nibbles(0, 16, 1);
            case Q2_K -> layout.scalesAndMins().pairs(0).unit(UNIT).unit(MIN_UNIT);
            case Q3_K -> layout.bits(2).pairs(0).signedScales().unit(UNIT);
            case Q4_K -> layout.unit(UNIT).unit(MIN_UNIT).sixBitScales().nibbles(0, 32, 4);
            case Q5_K -> layout.unit(UNIT).unit(MIN_UNIT).sixBitScales().bits(4).nibbles(0, 32, 4);
            case Q6_K -> layout.nibbles(0, 64, 2).pairs(4).bytes(SCALES, 16).unit(UNIT);
            case IQ4_XS -> layout.unit(UNIT).codebookScales().nibbles(0, 16, 8);
            case F32, F16, BF16 -> throw new IllegalArgumentException(type + " has no blocks");
        }
        if (layout.at != type.blockBytes()) {
            throw new IllegalStateException(type + " has " + layout.at + " bytes");
        }
        return layout.pieces;
    }

    private void add(int source, int drop, int mask, int up) {
        int piece = at * PIECES;
        while (pieces[piece] != 0) {
            piece++;
        }
        pieces[piece] = source | drop << 9 | mask << 12 | up << 20;
    }

    private BlockLayout unit(int source) {
        add(source, 0, 255, 0);
        at++;
        add(source + 1, 0, 255, 0);
        at++;
        return this;
    }

    private BlockLayout bytes(int source, int count) {
        for (int i = 0; i < count; i++) {
            add(source + i, 0, 255, 0);
            at++;
        }
        return this;
    }

    /** Runs of {@code run} bytes with four bits of a weight and, above them, of the weight {@code run} further. */
    private BlockLayout nibbles(int source, int run, int runs) {
        for (int r = 0; r < runs; r++) {
            for (int i = 0; i < run; i++) {
                int first = source + 2 * run * r + i;
                add(first, 0, 15, 0);
                add(first + run, 0, 15, 4);
                at++;
            }
        }
        return this;
    }

    /** The fifth bits of 32 weights, in order. */
    private BlockLayout fifthBits() {
        for (int i = 0; i < 32; i++) {
            add(i, 4, 1, i % 8);
            at += i % 8 == 7 ? 1 : 0;
        }
        return this;
    }

    /** Two bits of each level, of the weights l, l + 32, l + 64 and l + 96 of a half in byte l. */
    private BlockLayout pairs(int drop) {
        for (int half = 0; half < 2; half++) {
            for (int l = 0; l < 32; l++) {
                for (int quarter = 0; quarter < 4; quarter++) {
                    add(128 * half + 32 * quarter + l, drop, 3, 2 * quarter);
                }
                at++;
            }
        }
        return this;
    }

    /** One bit of each level, of the weights l, l + 32, … in byte l. */
    private BlockLayout bits(int drop) {
        for (int l = 0; l < 32; l++) {
            for (int group = 0; group < 8; group++) {
                add(32 * group + l, drop, 1, group);
            }
            at++;
        }
        return this;
    }

    private BlockLayout scalesAndMins() {
        for (int group = 0; group < 16; group++) {
            add(SCALES + group, 0, 15, 0);
            add(MINS + group, 0, 15, 4);
            at++;
        }
        return this;
    }

    private BlockLayout sixBitScales() {
        for (int source : new int[] {SCALES, MINS}) {
            for (int group = 0; group < 4; group++) {
                add(source + group, 0, 63, 0);
                add(source + group + 4, 4, 3, 6);
                at++;
            }
        }
        for (int group = 4; group < 8; group++) {
            add(SCALES + group, 0, 15, 0);
            add(MINS + group, 0, 15, 4);
            at++;
        }
        return this;
    }

    private BlockLayout signedScales() {
        nibbles(SCALES, 8, 1);
        for (int j = 0; j < 4; j++) {
            for (int quarter = 0; quarter < 4; quarter++) {
                add(SCALES + 4 * quarter + j, 4, 3, 2 * quarter);
            }
            at++;
        }
        return this;
    }

    private BlockLayout codebookScales() {
        for (int group = 0; group < 8; group++) {
            add(SCALES + group, 4, 3, group % 4 * 2);
            at += group % 4 == 3 ? 1 : 0;
        }
        for (int pair = 0; pair < 4; pair++) {
            add(SCALES + 2 * pair, 0, 15, 0);
            add(SCALES + 2 * pair + 1, 0, 15, 4);
            at++;
        }
        return this;
    }
}
