package io.gpuquant.ptx;

import org.jspecify.annotations.Nullable;

/** {@code bar.sync} and its relatives: makes the warp wait. */
final class BarrierOperation extends Operation {

    private final int id;
    private final int threads;
    private final @Nullable BarrierReduction reduction;

    /**
     * @param id index of the 32-bit register with the barrier's number
     * @param threads index of the 32-bit register with the number of threads, or -1 for all
     */
    BarrierOperation(int id, int threads, @Nullable BarrierReduction reduction) {
        this.id = id;
        this.threads = threads;
        this.reduction = reduction;
    }

    @Override
    void execute(Warp warp, int mask) {
        int lane = Integer.numberOfTrailingZeros(mask);
        int count = threads < 0 ? 0 : warp.words[threads][lane];
        if (count < 0 || count % LANES != 0 || threads >= 0 && count == 0) {
            throw new LaneFault(lane, "a barrier for " + count + " threads, not a multiple of " + LANES);
        }
        int number = warp.words[id][lane];
        if (Integer.compareUnsigned(number, Barrier.COUNT) >= 0) {
            throw new LaneFault(lane, "barrier " + number + " is not one of the " + Barrier.COUNT);
        }
        warp.waitAt(new Barrier(number, count, reduction));
    }
}
