package io.gpuquant.ptx;

import java.util.Arrays;

/**
 * Numbers the stretches of time between synchronizations on a checked machine, which runs one block at a time, and makes
 * stamps of them: who touched a byte, and when. A later stretch has a larger number, and so have its stamps; zero is the
 * stamp of nobody.
 */
final class Timeline {

    /** Bits of a stamp below the time: the thread in its block, and whether the touch was atomic. */
    private static final int THREAD_BITS = 10;

    static final long ATOMIC = 1L << THREAD_BITS;
    private static final int SHIFT = THREAD_BITS + 1;
    private static final int THREAD_MASK = (1 << THREAD_BITS) - 1;

    /** What the host wrote, before any launch. */
    static final long HOST = stamp(1, 0);

    private long now = 1;
    private long launchStart = now;
    private long[] blockStarts = new long[16];
    private int[] blocks = new int[16];
    private int blockCount;

    /** The stamp of a thread in a stretch of time; threads that follow have the stamps that follow. */
    static long stamp(long time, int thread) {
        return time << SHIFT | thread;
    }

    static int threadOf(long stamp) {
        return (int) stamp & THREAD_MASK;
    }

    /** Begins a new stretch; returns its number. */
    long advance() {
        return ++now;
    }

    /** Begins a launch: all that was before is ordered before it. */
    void beginLaunch() {
        launchStart = advance();
        blockCount = 0;
    }

    /** Begins a block of the launch, by its linear index; returns the number of its first stretch. */
    long beginBlock(int block) {
        if (blockCount == blocks.length) {
            blocks = Arrays.copyOf(blocks, 2 * blockCount);
            blockStarts = Arrays.copyOf(blockStarts, 2 * blockCount);
        }
        blocks[blockCount] = block;
        blockStarts[blockCount] = advance();
        return blockStarts[blockCount++];
    }

    /** The number of the launch's first stretch. */
    long launchStart() {
        return launchStart;
    }

    /** Whose stamp it is, in words, for a stamp of the launch that runs. */
    String describe(long stamp) {
        int at = Arrays.binarySearch(blockStarts, 0, blockCount, stamp >>> SHIFT);
        return "thread " + threadOf(stamp) + " of block " + blocks[at >= 0 ? at : -at - 2];
    }
}
