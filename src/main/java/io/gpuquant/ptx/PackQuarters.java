package io.gpuquant.ptx;

/** {@code mov.b64 d, {h0, h1, h2, h3}}: four 16-bit values in one 64-bit register. */
final class PackQuarters extends Operation {

    private final int target;
    private final int[] quarters;

    PackQuarters(int target, int[] quarters) {
        this.target = target;
        this.quarters = quarters;
    }

    @Override
    void execute(Warp warp, int mask) {
        long[] out = warp.longs[target];
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            long value = 0;
            for (int i = 0; i < quarters.length; i++) {
                value |= (warp.words[quarters[i]][lane] & 0xffffL) << i * Short.SIZE;
            }
            out[lane] = value;
        }
    }
}
