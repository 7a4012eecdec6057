package io.gpuquant.ptx;

/**
 * A kernel, its arguments and how many threads run it.
 *
 * @param number counts the launches of a machine
 * @param parameters the parameter block
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
        int number) {

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
