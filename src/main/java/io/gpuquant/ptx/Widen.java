package io.gpuquant.ptx;

import java.lang.invoke.MethodHandles;

/**
 * One 64-bit register from a 32-bit one.
 *
 * <p>A template: {@link LoopSpecializer} makes a hidden class of it for each operation, in which {@link #OPERATION} is
 * a constant that HotSpot inlines into the loops.
 */
final class Widen extends Operation {

    private static final LaneFunctions.IntToLong OPERATION =
            LoopSpecializer.operationOf(MethodHandles.lookup(), LaneFunctions.IntToLong.class);

    private final int target;
    private final int first;

    Widen(int[] registers) {
        target = registers[0];
        first = registers[1];
    }

    @Override
    void execute(Warp warp, int mask) {
        long[] out = warp.longs[target];
        int[] a = warp.words[first];
        if (mask == ALL_LANES) {
            for (int lane = 0; lane < LANES; lane++) {
                out[lane] = OPERATION.apply(a[lane]);
            }
        } else {
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                out[lane] = OPERATION.apply(a[lane]);
            }
        }
    }
}
