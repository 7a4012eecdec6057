package io.gpuquant.ptx;

/** A store to a space that has no loops of its own, lane by lane and always checked. */
final class LaneStore extends Operation {

    private final MemorySpace space;
    private final AddressSource source;
    private final int elementBytes;
    private final int[] values;
    private final boolean wide;

    /**
     * @param wide whether the values are in 64-bit registers
     */
    LaneStore(MemorySpace space, AddressSource source, int elementBytes, int[] values, boolean wide) {
        this.space = space;
        this.source = source;
        this.elementBytes = elementBytes;
        this.values = values;
        this.wide = wide;
    }

    @Override
    void execute(Warp warp, int mask) {
        long[] addresses = warp.addresses;
        source.gather(warp, mask, addresses);
        space.check(warp, mask, addresses, elementBytes * values.length, AccessKind.WRITE);
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            for (int i = 0; i < values.length; i++) {
                long value = wide ? warp.longs[values[i]][lane] : warp.words[values[i]][lane];
                space.write(warp, lane, addresses[lane] + (long) i * elementBytes, elementBytes, value);
            }
        }
    }
}
