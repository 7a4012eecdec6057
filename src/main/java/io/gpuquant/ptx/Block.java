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
    private final List<Warp> warps = new ArrayList<>();
    private final @Nullable LaunchStatistics statistics;
    private int x;
    private int y;
    private int z;
    private int epoch;

    Block(Launch launch, @Nullable LaunchStatistics statistics) {
        this.launch = launch;
        this.statistics = statistics;
        interpreter = new Interpreter(launch, statistics);
        shared = new SharedMemory(
                launch.kernel().shared(),
                launch.dynamicSharedBytes(),
                launch.options().isChecked());
        for (int i = 0; i < launch.warpsPerBlock(); i++) {
            warps.add(new Warp(this, i));
        }
    }

    /** Runs the block of this linear index to its end. */
    void run(long linearIndex) {
        x = (int) (linearIndex % launch.gridX());
        y = (int) (linearIndex / launch.gridX() % launch.gridY());
        z = (int) (linearIndex / launch.gridX() / launch.gridY());
        epoch = 0;
        shared.reset();
        warps.forEach(Warp::start);
        List<Warp> order = order();
        while (true) {
            for (Warp warp : order) {
                if (!warp.isDone() && warp.waitingAt() == null) {
                    interpreter.run(warp);
                }
            }
            if (warps.stream().allMatch(Warp::isDone)) {
                return;
            }
            releaseBarrier();
        }
    }

    private List<Warp> order() {
        long seed = launch.options().seed();
        if (seed == 0) {
            return warps;
        }
        List<Warp> shuffled = new ArrayList<>(warps);
        Collections.shuffle(shuffled, new Random(seed * 31 + linearIndex()));
        return shuffled;
    }

    /** Lets the warps at one complete barrier go on. */
    private void releaseBarrier() {
        for (Warp warp : warps) {
            Barrier barrier = warp.waitingAt();
            if (barrier != null && isComplete(barrier)) {
                release(barrier);
                return;
            }
        }
        throw new PtxFault(
                launch.kernel().module() + ": " + launch.kernel().name() + ", block (" + x + ", " + y + ", " + z
                        + "): deadlock, warps wait at barriers that are never complete",
                0);
    }

    private boolean isComplete(Barrier barrier) {
        int needed = barrier.threads() == 0
                ? (int) warps.stream().filter(warp -> !warp.isDone()).count()
                : barrier.threads() / Operation.LANES;
        return waitingAt(barrier).size() >= needed;
    }

    private List<Warp> waitingAt(Barrier barrier) {
        List<Warp> waiting = new ArrayList<>();
        for (Warp warp : warps) {
            Barrier other = warp.waitingAt();
            if (!warp.isDone() && other != null && other.id() == barrier.id()) {
                waiting.add(warp);
            }
        }
        return waiting;
    }

    private void release(Barrier barrier) {
        List<Warp> waiting = waitingAt(barrier);
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
        waiting.forEach(warp -> warp.waitAt(null));
        epoch++;
        warps.forEach(Warp::forgetAccesses);
    }

    Launch launch() {
        return launch;
    }

    SharedMemory shared() {
        return shared;
    }

    @Nullable
    LaunchStatistics statistics() {
        return statistics;
    }

    /** Warp instructions executed by all blocks this object has run. */
    long executed() {
        return interpreter.executed();
    }

    /** How many barriers the block has passed. */
    int epoch() {
        return epoch;
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

    int linearIndex() {
        return x + launch.gridX() * (y + launch.gridY() * z);
    }
}
