package io.gpuquant.kernels;

import io.gpuquant.device.LaunchShape;

/** Launch shapes of the common kernel forms. */
final class Grids {

    /** Threads of a block of an elementwise or warp-per-row kernel. */
    static final int THREADS = 256;

    /** Rows that a block of a warp-per-row kernel works on. */
    static final int ROWS_PER_BLOCK = THREADS / 32;

    /** Blocks of a kernel that strides over its elements: enough to fill any GPU several times. */
    private static final int MOST_BLOCKS = 4096;

    private static final int MOST_BLOCKS_Y = 65_535;

    private Grids() {}

    /** One thread per element up to a number of blocks that fill the device; the kernel strides over the rest. */
    static LaunchShape elementwise(long elements) {
        long blocks = (elements + THREADS - 1) / THREADS;
        return LaunchShape.linear((int) Math.clamp(blocks, 1, MOST_BLOCKS), THREADS);
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
        return (value + divisor - 1) / divisor;
    }
}
