package io.gpuquant.ptx;

import java.lang.invoke.MethodHandles;

/**
 * Loads of up to 32-bit elements in shared memory, within the bounds of Java's own arrays.
 *
 * <p>A template: {@link LoopSpecializer} makes a hidden class of it for each element access, in which {@link #ACCESS} is a
 * constant that HotSpot inlines into the loops.
 */
final class SharedLoadWords extends SharedAccess {

    private static final ElementAccess.SharedReader ACCESS =
            LoopSpecializer.operationOf(MethodHandles.lookup(), ElementAccess.SharedReader.class);

    SharedLoadWords(int[] arguments) {
        super(arguments);
    }

    @Override
    void execute(Warp warp, int mask) {
        byte[] memory = warp.block().shared().bytes();
        int[] a = warp.words[base];
        for (int i = 0; i < registers.length; i++) {
            int[] out = warp.words[registers[i]];
            int shift = shifts[i];
            if (mask == ALL_LANES) {
                for (int lane = 0; lane < LANES; lane++) {
                    out[lane] = ACCESS.read(memory, a[lane] + shift);
                }
            } else {
                for (int rest = mask; rest != 0; rest &= rest - 1) {
                    int lane = Integer.numberOfTrailingZeros(rest);
                    out[lane] = ACCESS.read(memory, a[lane] + shift);
                }
            }
        }
    }
}
