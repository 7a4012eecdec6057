package io.gpuquant.ptx;

import org.jspecify.annotations.Nullable;

/**
 * A warp's arrival at a block barrier.
 *
 * @param id which of the 16 barriers
 * @param threads how many threads must arrive, or zero for all of the block that have not ended
 * @param reduction what the arriving warps compute together, or null
 */
record Barrier(int id, int threads, @Nullable BarrierReduction reduction) {

    /** How many barriers a block has. */
    static final int COUNT = 16;

    /** How many threads must arrive. */
    String threadsInWords() {
        return threads == 0 ? "all threads" : threads + " threads";
    }
}
