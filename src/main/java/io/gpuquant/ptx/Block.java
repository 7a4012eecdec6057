package io.gpuquant.ptx;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** A block of threads: its warps, its shared memory, and the barriers between them. Reused for block after block. */
final class Block {

    private final Launch launch;
    private final Interpreter interpreter;
    private final SharedMemory shared;
    private final Warp[] warps;
    private final @Nullable LaunchStatistics statistics;
    private final MatrixOperands matrixOperands = new MatrixOperands();
    private int x;
    private int y;
    private int z;

    /**
     * @param statistics null on a fast machine
     */
    Block(Launch launch, @Nullable LaunchStatistics statistics) {
        this.launch = launch;
        this.statistics = statistics;
        interpreter = new Interpreter(launch, statistics);
        shared = new SharedMemory(
                launch.kernel().shared(),
                launch.dynamicSharedBytes(),
                launch.options().isChecked());
        warps = new Warp[launch.warpsPerBlock()];
        Timeline timeline = launch.timeline();
        for (int i = 0; i < warps.length; i++) {
            warps[i] = new Warp(this, i, timeline == null ? null : new Ordering(timeline, i, warps.length));
        }
    }

    /**
     * Runs the block of this linear index to its end.
     *
     * @throws PtxFault when the kernel does what it must not
     */
    void run(long linearIndex) {
        x = (int) (linearIndex % launch.gridX());
        y = (int) (linearIndex / launch.gridX() % launch.gridY());
        z = (int) (linearIndex / launch.gridX() / launch.gridY());
        shared.reset();
        for (Warp warp : warps) {
            warp.start();
        }
        Timeline timeline = launch.timeline();
        if (timeline != null) {
            beginOrdering(timeline.beginBlock(Math.toIntExact(linearIndex)));
        }
        Warp[] order = order(linearIndex);
        do {
            for (Warp warp : order) {
                if (warp.isReady()) {
                    interpreter.run(warp);
                }
            }
        } while (releaseBarrier());
    }

    private void beginOrdering(long time) {
        for (Warp warp : warps) {
            Ordering ordering = warp.ordering();
            if (ordering != null) {
                ordering.begin(time);
            }
        }
    }

    private Warp[] order(long linearIndex) {
        long seed = launch.options().seed();
        if (seed == 0) {
            return warps;
        }
        List<Warp> shuffled = new ArrayList<>(List.of(warps));
        Collections.shuffle(shuffled, new Random(seed * 31 + linearIndex));
        return shuffled.toArray(Warp[]::new);
    }

    /** Lets the warps at one complete barrier go on; false when all have ended. */
    private boolean releaseBarrier() {
        Warp stuck = null;
        for (Warp warp : warps) {
            Barrier barrier = warp.waitingAt();
            if (barrier != null) {
                List<Warp> waiting = waitingAt(barrier);
                if (waiting.size() == needed(barrier)) {
                    release(barrier, waiting);
                    return true;
                }
                stuck = stuck == null ? warp : stuck;
            }
        }
        if (stuck != null) {
            throw stuckAt(stuck);
        }
        return false;
    }

    /** How many warps must come to a barrier. */
    private int needed(Barrier barrier) {
        if (barrier.threads() > 0) {
            return barrier.threads() / Operation.LANES;
        }
        int running = 0;
        for (Warp warp : warps) {
            running += warp.isDone() ? 0 : 1;
        }
        return running;
    }

    private List<Warp> waitingAt(Barrier barrier) {
        List<Warp> waiting = new ArrayList<>();
        for (Warp warp : warps) {
            Barrier other = warp.waitingAt();
            if (other != null && other.id() == barrier.id()) {
                if (other.threads() != barrier.threads()) {
                    throw interpreter.fault(
                            warp,
                            "barrier " + barrier.id() + " is for " + barrier.threadsInWords() + " in one warp and for "
                                    + other.threadsInWords() + " in this one");
                }
                waiting.add(warp);
            }
        }
        return waiting;
    }

    private PtxFault stuckAt(Warp warp) {
        Barrier barrier = warp.waitingAt();
        if (barrier == null) {
            throw new IllegalStateException("the warp does not wait");
        }
        return interpreter.fault(
                warp,
                "deadlock: barrier " + barrier.id() + " is for " + barrier.threadsInWords() + ", but "
                        + waitingAt(barrier).size() * Operation.LANES + " threads came to it");
    }

    private void release(Barrier barrier, List<Warp> waiting) {
        BarrierReduction reduction = barrier.reduction();
        if (reduction != null) {
            int holding = 0;
            int arrived = 0;
            for (Warp warp : waiting) {
                holding += reduction.count(warp);
                arrived += Integer.bitCount(warp.live());
            }
            for (Warp warp : waiting) {
                reduction.deliver(warp, holding, arrived);
            }
        }
        Timeline timeline = launch.timeline();
        List<Ordering> orderings = new ArrayList<>();
        for (Warp warp : waiting) {
            warp.waitAt(null);
            Ordering ordering = warp.ordering();
            if (ordering != null) {
                orderings.add(ordering);
            }
        }
        if (timeline != null) {
            Ordering.passBlockBarrier(timeline, orderings);
        }
    }

    Launch launch() {
        return launch;
    }

    SharedMemory shared() {
        return shared;
    }

    /** Room for the matrix product that one of its warps makes. */
    MatrixOperands matrixOperands() {
        return matrixOperands;
    }

    @Nullable
    LaunchStatistics statistics() {
        return statistics;
    }

    /** Warp instructions executed by all blocks this object has run. */
    long executed() {
        return interpreter.executed();
    }

    int x() {
        return x;
    }

    int y() {
        return y;
    }

    int z() {
        return z;
    }
}
