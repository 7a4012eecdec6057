package io.gpuquant.ptx;

import org.jspecify.annotations.Nullable;

/**
 * A kernel, its arguments and how many threads run it.
 *
 * @param parameters the parameter block
 * @param timeline of a checked machine, or null
 */
record Launch(
        PtxKernel kernel,
        int gridX,
        int gridY,
        int gridZ,
        int blockX,
        int blockY,
        int blockZ,
        int dynamicSharedBytes,
        byte[] parameters,
        GlobalMemory memory,
        MachineOptions options,
        @Nullable Timeline timeline) {

    int threadsPerBlock() {
        return blockX * blockY * blockZ;
    }

    int warpsPerBlock() {
        return (threadsPerBlock() + Operation.LANES - 1) / Operation.LANES;
    }

    long blocks() {
        return (long) gridX * gridY * gridZ;
    }
}
