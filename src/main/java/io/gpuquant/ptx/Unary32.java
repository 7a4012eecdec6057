package io.gpuquant.ptx;

import java.lang.invoke.MethodHandles;

/**
 * One 32-bit register from one.
 *
 * <p>A template: {@link LoopSpecializer} makes a hidden class of it for each operation, in which {@link #OPERATION} is
 * a constant that HotSpot inlines into the loops.
 */
final class Unary32 extends Operation {

    private static final LaneFunctions.Int1 OPERATION =
            LoopSpecializer.operationOf(MethodHandles.lookup(), LaneFunctions.Int1.class);

    private final int target;
    private final int first;

    Unary32(int[] registers) {
        target = registers[0];
        first = registers[1];
    }

    @Override
    void execute(Warp warp, int mask) {
        int[] out = warp.words[target];
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
