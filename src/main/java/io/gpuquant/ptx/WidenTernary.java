package io.gpuquant.ptx;

import java.lang.invoke.MethodHandles;

/**
 * One 64-bit register from two 32-bit ones and a 64-bit one.
 *
 * <p>A template: {@link LoopSpecializer} makes a hidden class of it for each operation, in which {@link #OPERATION} is
 * a constant that HotSpot inlines into the loops.
 */
final class WidenTernary extends Operation {

    private static final LaneFunctions.IntsAndLongToLong OPERATION =
            LoopSpecializer.operationOf(MethodHandles.lookup(), LaneFunctions.IntsAndLongToLong.class);

    private final int target;
    private final int first;
    private final int second;
    private final int third;

    WidenTernary(int[] registers) {
        target = registers[0];
        first = registers[1];
        second = registers[2];
        third = registers[3];
    }

    @Override
    void execute(Warp warp, int mask) {
        long[] out = warp.longs[target];
        int[] a = warp.words[first];
        int[] b = warp.words[second];
        long[] c = warp.longs[third];
        if (mask == ALL_LANES) {
            for (int lane = 0; lane < LANES; lane++) {
                out[lane] = OPERATION.apply(a[lane], b[lane], c[lane]);
            }
        } else {
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                out[lane] = OPERATION.apply(a[lane], b[lane], c[lane]);
            }
        }
    }
}
