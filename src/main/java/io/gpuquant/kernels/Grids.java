package io.gpuquant.kernels;

import io.gpuquant.device.LaunchShape;

/** Launch shapes of the common kernel forms. */
final class Grids {

    /** Threads of a block of an elementwise or warp-per-row kernel. */
    static final int THREADS = 256;

    /** Rows that a block of a warp-per-row kernel works on. */
    static final int ROWS_PER_BLOCK = THREADS / 32;

    /** Blocks of a kernel that strides over its work: enough to fill any GPU. */
    static final int ENOUGH_BLOCKS = 2048;

    /** Elements that one access of a thread takes. */
    private static final int VECTOR = 4;

    /** Elements of a block of a kernel that strides over its work: eight vectors a thread, to pay for the block's start. */
    private static final int ELEMENTS_PER_BLOCK = 8 * VECTOR * THREADS;

    /** Blocks in y that a grid may have. */
    static final int MOST_BLOCKS_Y = 65_535;

    private Grids() {}

    /** Threads in x that stride over elements. */
    static LaunchShape elementwise(long elements) {
        return LaunchShape.linear(blocksFor(elements), THREADS);
    }

    /**
     * Threads along vectors of columns in x, rows in y; the kernel strides over both. The threads of a block stand in rows
     * of {@link #threadsPerRow}.
     */
    static LaunchShape vectorsByRows(long columns, int rows) {
        int width = threadsPerRow(columns);
        int blocks = blocksFor(columns * rows);
        int across = (int) Math.clamp(ceilDiv(ceilDiv(columns, VECTOR), width), 1, blocks);
        int down = Math.clamp(ceilDiv(rows, THREADS / width), 1, Math.max(1, blocks / across));
        return LaunchShape.grid(across, down, THREADS);
    }

    /** The least power of two that covers a row in vectors, at most a block. */
    static int threadsPerRow(long columns) {
        long vectors = Math.clamp(ceilDiv(columns, VECTOR), 1, THREADS);
        return (int) (vectors == 1 ? 1 : Long.highestOneBit(vectors - 1) * 2);
    }

    /** One warp per row; the kernel strides over rows. */
    static LaunchShape warpPerRow(int rows, int columns) {
        int blocks = Math.min(blocksFor((long) rows * columns), ceilDiv(rows, ROWS_PER_BLOCK));
        return LaunchShape.linear(Math.max(1, blocks), THREADS);
    }

    /** One warp per row. */
    static LaunchShape warpPerRow(int rows) {
        return LaunchShape.linear(Math.max(1, ceilDiv(rows, ROWS_PER_BLOCK)), THREADS);
    }

    /** One block per row. */
    static LaunchShape blockPerRow(int rows) {
        return LaunchShape.linear(Math.max(1, rows), THREADS);
    }

    /** Threads along columns in x, rows in y; the kernel strides over rows beyond the largest grid. */
    static LaunchShape columnsByRows(int columns, int rows) {
        return LaunchShape.grid(Math.max(1, ceilDiv(columns, THREADS)), Math.clamp(rows, 1, MOST_BLOCKS_Y), THREADS);
    }

    static int ceilDiv(int value, int divisor) {
        return (int) ceilDiv((long) value, divisor);
    }

    private static long ceilDiv(long value, long divisor) {
        return (value + divisor - 1) / divisor;
    }

    private static int blocksFor(long elements) {
        return (int) Math.clamp(ceilDiv(elements, ELEMENTS_PER_BLOCK), 1, ENOUGH_BLOCKS);
    }
}
