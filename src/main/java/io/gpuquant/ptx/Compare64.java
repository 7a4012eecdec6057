package io.gpuquant.ptx;

import java.lang.invoke.MethodHandles;

/**
 * Bits of a predicate from two 64-bit registers; bits of inactive lanes are zero.
 *
 * <p>A template: {@link LoopSpecializer} makes a hidden class of it for each condition, in which {@link #CONDITION} is
 * a constant that HotSpot inlines into the loops.
 */
final class Compare64 extends Comparison {

    private static final LaneFunctions.LongTest CONDITION =
            LoopSpecializer.operationOf(MethodHandles.lookup(), LaneFunctions.LongTest.class);

    private final int first;
    private final int second;

    Compare64(int[] registers) {
        first = registers[0];
        second = registers[1];
    }

    @Override
    int holds(Warp warp, int mask) {
        long[] a = warp.longs[first];
        long[] b = warp.longs[second];
        int bits = 0;
        if (mask == Operation.ALL_LANES) {
            for (int lane = 0; lane < Operation.LANES; lane++) {
                bits |= (CONDITION.test(a[lane], b[lane]) ? 1 : 0) << lane;
            }
        } else {
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                bits |= (CONDITION.test(a[lane], b[lane]) ? 1 : 0) << lane;
            }
        }
        return bits;
    }
}
