package io.gpuquant.bench;

import java.util.function.Function;

/**
 * A kernel to be measured.
 *
 * @param kernel its entry
 * @param prepare allocates what it works on, and returns what launches it
 */
record KernelCase(String kernel, String shape, Work work, Function<BenchMemory, Runnable> prepare) {

    /** A case on a matrix. */
    static KernelCase of(String kernel, int rows, int columns, Work work, Function<BenchMemory, Runnable> prepare) {
        return new KernelCase(kernel, rows + " x " + columns, work, prepare);
    }
}
