package io.gpuquant.ptx;

import java.util.Arrays;
import java.util.Map;
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

    /** Room for the addresses of an access, by lane. */
    final long[] addresses = new long[Operation.LANES];

    /** The same for an access with two. */
    final long[] otherAddresses = new long[Operation.LANES];

    final Fragments fragments = new Fragments();

    private final Block block;
    private final int index;
    private final int allThreads;
    private final LocalMemory local;
    private final @Nullable RegisterCheck registerCheck;
    private final @Nullable AsyncCopies asyncCopies;
    private final @Nullable Ordering ordering;

    private int live;
    private @Nullable Barrier waitingAt;

    /**
     * @param ordering null on a fast machine
     */
    Warp(Block block, int index, @Nullable Ordering ordering) {
        this.block = block;
        this.index = index;
        this.ordering = ordering;
        Launch launch = block.launch();
        int threads = Math.min(Operation.LANES, launch.threadsPerBlock() - index * Operation.LANES);
        allThreads = threads == Operation.LANES ? Operation.ALL_LANES : (1 << threads) - 1;
        RegisterLayout layout = launch.kernel().registers();
        words = new int[layout.words()][Operation.LANES];
        longs = new long[layout.longs()][Operation.LANES];
        predicates = new int[layout.predicates()];
        boolean checked = launch.options().isChecked();
        local = new LocalMemory(launch.kernel().localBytes(), checked);
        registerCheck = checked ? new RegisterCheck(layout) : null;
        asyncCopies = checked ? new AsyncCopies() : null;
        layout.wordConstants().forEach((register, value) -> Arrays.fill(words[register], value));
        layout.longConstants().forEach((register, value) -> Arrays.fill(longs[register], value));
        layout.predicateConstants().forEach((register, value) -> predicates[register] = value);
        fill(layout.specials());
    }

    /** Makes the warp that of a new block: all its threads at the first instruction. */
    void start() {
        live = allThreads;
        waitingAt = null;
        fragments.reset(live, block.launch().options().splitWarps());
        fill(block.launch().kernel().registers().blockSpecials());
        local.reset();
        if (registerCheck != null) {
            registerCheck.reset();
        }
        if (asyncCopies != null) {
            asyncCopies.reset();
        }
    }

    private void fill(Map<Integer, SpecialRegister> specials) {
        specials.forEach((register, special) -> {
            for (int lane = 0; lane < Operation.LANES; lane++) {
                words[register][lane] = special.value(block, index * Operation.LANES + lane);
            }
        });
    }

    Block block() {
        return block;
    }

    int index() {
        return index;
    }

    LocalMemory local() {
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

    /** Whether the warp could go on. */
    boolean isReady() {
        return live != 0 && waitingAt == null;
    }

    /** What is ordered before the next touches of memory, or null on a fast machine. */
    @Nullable
    Ordering ordering() {
        return ordering;
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
