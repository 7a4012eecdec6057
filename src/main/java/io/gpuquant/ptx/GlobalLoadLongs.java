package io.gpuquant.ptx;

import java.lang.invoke.MethodHandles;

/**
 * Loads of 64-bit elements in global memory, checked against the allocations warp by warp.
 *
 * <p>A template: {@link LoopSpecializer} makes a hidden class of it for each element access, in which {@link #ACCESS} is a
 * constant that HotSpot inlines into the loops.
 */
final class GlobalLoadLongs extends GlobalAccess {

    private static final ElementAccess.GlobalLongReader ACCESS =
            LoopSpecializer.operationOf(MethodHandles.lookup(), ElementAccess.GlobalLongReader.class);

    GlobalLoadLongs(int[] arguments) {
        super(arguments, true);
    }

    @Override
    void execute(Warp warp, int mask) {
        long[] a = warp.longs[base];
        requireInside(warp, a, mask);
        for (int i = 0; i < registers.length; i++) {
            long[] out = warp.longs[registers[i]];
            long shift = shifts[i];
            if (mask == ALL_LANES) {
                for (int lane = 0; lane < LANES; lane++) {
                    out[lane] = ACCESS.read(a[lane] + shift);
                }
            } else {
                for (int rest = mask; rest != 0; rest &= rest - 1) {
                    int lane = Integer.numberOfTrailingZeros(rest);
                    out[lane] = ACCESS.read(a[lane] + shift);
                }
            }
        }
    }
}
