package io.gpuquant.ptx;

import java.lang.invoke.MethodHandles;

/**
 * One 64-bit register from a 64-bit and a 32-bit one.
 *
 * <p>A template: {@link LoopSpecializer} makes a hidden class of it for each operation, in which {@link #OPERATION} is
 * a constant that HotSpot inlines into the loops.
 */
final class Shift64 extends Operation {

    private static final LaneFunctions.LongAndIntToLong OPERATION =
            LoopSpecializer.operationOf(MethodHandles.lookup(), LaneFunctions.LongAndIntToLong.class);

    private final int target;
    private final int first;
    private final int second;

    Shift64(int[] registers) {
        target = registers[0];
        first = registers[1];
        second = registers[2];
    }

    @Override
    void execute(Warp warp, int mask) {
        long[] out = warp.longs[target];
        long[] a = warp.longs[first];
        int[] b = warp.words[second];
        if (mask == ALL_LANES) {
            for (int lane = 0; lane < LANES; lane++) {
                out[lane] = OPERATION.apply(a[lane], b[lane]);
            }
        } else {
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                out[lane] = OPERATION.apply(a[lane], b[lane]);
            }
        }
    }
}
