package io.gpuquant.device;

/**
 * How many threads a kernel is launched with.
 *
 * @param gridX blocks in x, at most 2^31-1
 * @param gridY blocks in y, at most 65535
 * @param gridZ blocks in z, at most 65535
 * @param blockX threads of a block; blocks are one-dimensional
 * @param dynamicSharedBytes shared memory beyond what the kernel declares
 */
public record LaunchShape(int gridX, int gridY, int gridZ, int blockX, int dynamicSharedBytes) {

    public LaunchShape {
        if (gridX < 1 || gridY < 1 || gridY > 65535 || gridZ < 1 || gridZ > 65535) {
            throw new IllegalArgumentException("a grid of " + gridX + " x " + gridY + " x " + gridZ + " blocks");
        }
        if (blockX < 1 || blockX > 1024 || dynamicSharedBytes < 0) {
            throw new IllegalArgumentException(
                    "blocks of " + blockX + " threads with " + dynamicSharedBytes + " bytes of shared memory");
        }
    }

    /** A one-dimensional grid. */
    public static LaunchShape linear(int blocks, int threads) {
        return new LaunchShape(blocks, 1, 1, threads, 0);
    }

    /** A two-dimensional grid. */
    public static LaunchShape grid(int blocksX, int blocksY, int threads) {
        return new LaunchShape(blocksX, blocksY, 1, threads, 0);
    }

    /** The same shape with this much dynamic shared memory. */
    public LaunchShape withDynamicShared(int bytes) {
        return new LaunchShape(gridX, gridY, gridZ, blockX, bytes);
    }

    /** Blocks in all. */
    public long blocks() {
        return (long) gridX * gridY * gridZ;
    }
}
