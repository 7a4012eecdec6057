package io.gpuquant.ptx;

/** {@code bfi.b32}: replaces a bit field of one word by the low bits of another. */
final class BitFieldInsert extends Operation {

    private final int target;
    private final int field;
    private final int base;
    private final int position;
    private final int length;

    BitFieldInsert(int target, int field, int base, int position, int length) {
        this.target = target;
        this.field = field;
        this.base = base;
        this.position = position;
        this.length = length;
    }

    @Override
    void execute(Warp warp, int mask) {
        int[] out = warp.words[target];
        int[] a = warp.words[field];
        int[] b = warp.words[base];
        int[] from = warp.words[position];
        int[] count = warp.words[length];
        if (mask == ALL_LANES) {
            for (int lane = 0; lane < LANES; lane++) {
                out[lane] = insert(a[lane], b[lane], from[lane], count[lane]);
            }
        } else {
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                out[lane] = insert(a[lane], b[lane], from[lane], count[lane]);
            }
        }
    }

    private static int insert(int a, int b, int position, int length) {
        int from = position & 0xff;
        int count = Math.min(length & 0xff, 32);
        int kept = (int) ((1L << count) - 1);
        // Shifting by 32 or more must clear, where Java would take the amount modulo 32.
        int mask = from > 31 ? 0 : kept << from;
        return b & ~mask | (from > 31 ? 0 : a << from) & mask;
    }
}
