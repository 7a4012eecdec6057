package io.gpuquant.ptx;

/**
 * Where the address of a memory operand comes from.
 *
 * @param base index of the base register
 * @param wide whether that is a 64-bit register
 */
record AddressSource(int base, boolean wide, long offset) {

    /** The addresses of lanes, by lane; those of other lanes are left as they are. */
    void gather(Warp warp, int mask, long[] addresses) {
        if (wide) {
            long[] bases = warp.longs[base];
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                addresses[lane] = bases[lane] + offset;
            }
        } else {
            int[] bases = warp.words[base];
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                addresses[lane] = (bases[lane] & 0xffff_ffffL) + offset;
            }
        }
    }
}
