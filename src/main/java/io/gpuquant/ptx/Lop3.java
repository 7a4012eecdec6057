package io.gpuquant.ptx;

/** {@code lop3.b32}: any logic function of three words, given as its truth table. */
final class Lop3 extends Operation {

    private static final int TABLE_BITS = 8;

    private final int target;
    private final int first;
    private final int second;
    private final int third;
    private final int table;

    Lop3(int target, int first, int second, int third, int table) {
        this.target = target;
        this.first = first;
        this.second = second;
        this.third = third;
        this.table = table;
    }

    @Override
    void execute(Warp warp, int mask) {
        int[] out = warp.words[target];
        int[] a = warp.words[first];
        int[] b = warp.words[second];
        int[] c = warp.words[third];
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int value = 0;
            // Row i of the table holds for the bits where a, b and c spell i.
            for (int row = 0; row < TABLE_BITS; row++) {
                if ((table >>> row & 1) != 0) {
                    value |= ((row & 4) != 0 ? a[lane] : ~a[lane])
                            & ((row & 2) != 0 ? b[lane] : ~b[lane])
                            & ((row & 1) != 0 ? c[lane] : ~c[lane]);
                }
            }
            out[lane] = value;
        }
    }
}
