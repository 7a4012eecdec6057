package io.gpuquant.kernels.selftest;

import java.util.List;

/** One input for what is tested; a record, whose text is its name and decides the random numbers it works on. */
interface Case {

    /** Computes on the bench's device. */
    List<Output> run(Bench bench);

    /**
     * What the device should have given, with the tolerances that apply: what the reference gives, or what plain Java
     * does with the same random numbers.
     */
    default List<Output> expected(Bench reference) {
        return run(reference);
    }
}
