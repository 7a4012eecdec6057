package io.gpuquant.ptx;

import java.lang.invoke.MethodHandles;

/**
 * Bits of a predicate from two 32-bit registers; bits of inactive lanes are zero.
 *
 * <p>A template: {@link LoopSpecializer} makes a hidden class of it for each condition, in which {@link #CONDITION} is
 * a constant that HotSpot inlines into the loops.
 */
final class Compare32 extends Comparison {

    private static final LaneFunctions.IntTest CONDITION =
            LoopSpecializer.operationOf(MethodHandles.lookup(), LaneFunctions.IntTest.class);

    private final int first;
    private final int second;

    Compare32(int[] registers) {
        first = registers[0];
        second = registers[1];
    }

    @Override
    int holds(Warp warp, int mask) {
        int[] a = warp.words[first];
        int[] b = warp.words[second];
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
