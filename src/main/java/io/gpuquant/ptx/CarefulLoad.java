package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;

/** A load, lane by lane, with every check of the machine. */
final class CarefulLoad extends Operation {

    private final MemorySpace space;
    private final AddressSource source;
    private final PtxType type;
    private final int[] targets;
    private final int registerBits;

    CarefulLoad(MemorySpace space, AddressSource source, PtxType type, int[] targets, int registerBits) {
        this.space = space;
        this.source = source;
        this.type = type;
        this.targets = targets;
        this.registerBits = registerBits;
    }

    @Override
    void execute(Warp warp, int mask) {
        int bytes = type.bytes();
        AccessPattern.count(warp, mask, space, source, bytes * targets.length);
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            long address = source.address(warp, lane);
            space.checkRead(warp, lane, address, bytes * targets.length);
            for (int i = 0; i < targets.length; i++) {
                long value = space.read(warp, lane, address + (long) i * bytes, bytes);
                if (registerBits == Long.SIZE) {
                    warp.longs[targets[i]][lane] = ElementAccess.extend(value, type);
                } else {
                    warp.words[targets[i]][lane] = ElementAccess.extend((int) value, type, registerBits);
                }
            }
        }
    }
}
