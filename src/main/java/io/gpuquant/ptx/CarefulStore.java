package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;

/** A store, lane by lane, with every check of the machine. */
final class CarefulStore extends Operation {

    private final MemorySpace space;
    private final AddressSource source;
    private final PtxType type;
    private final int[] values;
    private final boolean wide;

    /**
     * @param wide whether the values are in 64-bit registers
     */
    CarefulStore(MemorySpace space, AddressSource source, PtxType type, int[] values, boolean wide) {
        this.space = space;
        this.source = source;
        this.type = type;
        this.values = values;
        this.wide = wide;
    }

    @Override
    void execute(Warp warp, int mask) {
        int bytes = type.bytes();
        AccessPattern.count(warp, mask, space, source, bytes * values.length);
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            long address = source.address(warp, lane);
            space.checkWrite(warp, lane, address, bytes * values.length, false);
            for (int i = 0; i < values.length; i++) {
                long value = wide ? warp.longs[values[i]][lane] : warp.words[values[i]][lane];
                space.write(warp, lane, address + (long) i * bytes, bytes, value);
            }
        }
    }
}
