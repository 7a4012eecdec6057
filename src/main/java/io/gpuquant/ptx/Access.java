package io.gpuquant.ptx;

/**
 * Who touches memory, and when: enough to decide whether two touches are ordered. Two are when one thread makes both, when
 * a block barrier lies between, or when a warp barrier lies between and both are of one warp.
 *
 * @param launch counts launches; those are always ordered
 * @param block linear index of the block
 * @param blockEpoch block barriers passed
 * @param warpEpoch warp barriers passed
 * @param thread linear index in the block
 */
record Access(int launch, int block, int blockEpoch, int warpEpoch, int thread) {

    static final int LANES = 32;

    int warp() {
        return thread / LANES;
    }

    /** Whether an earlier touch is ordered before this one. */
    boolean isOrderedAfter(Access earlier) {
        if (earlier.launch != launch) {
            return true;
        }
        if (earlier.block != block) {
            return false;
        }
        return earlier.thread == thread
                || earlier.blockEpoch != blockEpoch
                || earlier.warp() == warp() && earlier.warpEpoch != warpEpoch;
    }

    @Override
    public String toString() {
        return "thread " + thread + " of block " + block;
    }
}
