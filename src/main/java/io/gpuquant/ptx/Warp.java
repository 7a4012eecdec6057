package io.gpuquant.ptx;

import org.jspecify.annotations.Nullable;

/**
 * The state of 32 threads: registers, and the fragments into which divergent branches have split the warp. Arrays are open
 * to the operations, which are the machine itself.
 */
final class Warp {

    /** 32-bit registers: {@code words[register][lane]}. */
    final int[][] words;

    /** 64-bit registers: {@code longs[register][lane]}. */
    final long[][] longs;

    /** Predicates: one bit per lane. */
    final int[] predicates;

    final Fragments fragments = new Fragments();

    private final Block block;
    private final int index;
    private final byte[] local;
    private final @Nullable RegisterCheck registerCheck;
    private final @Nullable AsyncCopies asyncCopies;
    private final @Nullable Access[] accesses = new Access[Operation.LANES];

    private int live;
    private int epoch;
    private @Nullable Barrier waitingAt;

    Warp(Block block, int index) {
        this.block = block;
        this.index = index;
        RegisterLayout layout = block.launch().kernel().registers();
        words = new int[layout.words()][Operation.LANES];
        longs = new long[layout.longs()][Operation.LANES];
        predicates = new int[layout.predicates()];
        local = new byte[block.launch().kernel().localBytes() * Operation.LANES];
        boolean checked = block.launch().options().isChecked();
        registerCheck = checked ? new RegisterCheck(layout) : null;
        asyncCopies = checked ? new AsyncCopies() : null;
        layout.wordConstants().forEach((register, value) -> java.util.Arrays.fill(words[register], value));
        layout.longConstants().forEach((register, value) -> java.util.Arrays.fill(longs[register], value));
        layout.predicateConstants().forEach((register, value) -> predicates[register] = value);
    }

    /** Makes the warp that of a new block: all its threads at the first instruction. */
    void start() {
        int threads = Math.min(Operation.LANES, block.launch().threadsPerBlock() - index * Operation.LANES);
        live = threads == Operation.LANES ? Operation.ALL_LANES : (1 << threads) - 1;
        epoch = 0;
        waitingAt = null;
        forgetAccesses();
        fragments.reset(live, block.launch().options().splitWarps());
        block.launch().kernel().registers().specials().forEach((register, special) -> {
            for (int lane = 0; lane < Operation.LANES; lane++) {
                words[register][lane] = special.value(block, index * Operation.LANES + lane);
            }
        });
        if (registerCheck != null) {
            registerCheck.reset();
        }
        if (asyncCopies != null) {
            asyncCopies.reset();
        }
    }

    Block block() {
        return block;
    }

    int index() {
        return index;
    }

    /** Local memory of all lanes, one after the other. */
    byte[] local() {
        return local;
    }

    /** Lanes that have not ended. */
    int live() {
        return live;
    }

    void end(int lanes) {
        live &= ~lanes;
    }

    boolean isDone() {
        return live == 0;
    }

    /** The barrier that all live lanes wait at, or null. */
    @Nullable
    Barrier waitingAt() {
        return waitingAt;
    }

    void waitAt(@Nullable Barrier barrier) {
        waitingAt = barrier;
    }

    /** Opens a new epoch: what lanes did before is ordered before what they do from now on. */
    void passWarpBarrier() {
        epoch++;
        forgetAccesses();
    }

    void forgetAccesses() {
        java.util.Arrays.fill(accesses, null);
    }

    /** Who a lane is, for the race check. */
    Access access(int lane) {
        Access access = accesses[lane];
        if (access == null) {
            access = new Access(
                    block.launch().number(), block.linearIndex(), block.epoch(), epoch, index * Operation.LANES + lane);
            accesses[lane] = access;
        }
        return access;
    }

    /** The check of uninitialised registers, or null on a fast machine. */
    @Nullable
    RegisterCheck registerCheck() {
        return registerCheck;
    }

    /** Asynchronous copies under way, or null on a fast machine, where they are done at once. */
    @Nullable
    AsyncCopies asyncCopies() {
        return asyncCopies;
    }
}
