package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;

/** A load from a space that has no loops of its own, lane by lane and always checked. */
final class LaneLoad extends Operation {

    private final MemorySpace space;
    private final AddressSource source;
    private final PtxType type;
    private final int[] targets;
    private final int registerBits;

    LaneLoad(MemorySpace space, AddressSource source, PtxType type, int[] targets, int registerBits) {
        this.space = space;
        this.source = source;
        this.type = type;
        this.targets = targets;
        this.registerBits = registerBits;
    }

    @Override
    void execute(Warp warp, int mask) {
        int bytes = type.bytes();
        long[] addresses = warp.addresses;
        source.gather(warp, mask, addresses);
        space.check(warp, mask, addresses, bytes * targets.length, AccessKind.READ);
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            for (int i = 0; i < targets.length; i++) {
                long value = space.read(warp, lane, addresses[lane] + (long) i * bytes, bytes);
                if (registerBits == Long.SIZE) {
                    warp.longs[targets[i]][lane] = ElementAccess.extend(value, type);
                } else {
                    warp.words[targets[i]][lane] = ElementAccess.extend((int) value, type, registerBits);
                }
            }
        }
    }
}
