package io.gpuquant.kernels.selftest;

import java.util.List;

/**
 * What is tested as one: a kernel, or a service of the device.
 *
 * @param name the kernel's entry, or the service in words
 */
record Check(String name, Accuracy accuracy, List<Case> cases) {

    Check {
        cases = List.copyOf(cases);
        if (cases.isEmpty()) {
            throw new IllegalArgumentException("nothing tests " + name);
        }
    }

    /** Of integers, layouts, and arithmetic that is rounded to nearest in a fixed order. */
    static Check exact(String name, List<? extends Case> cases) {
        return new Check(name, Accuracy.BIT_EQUAL, List.copyOf(cases));
    }

    /** Of approximate operations and of matrix units. */
    static Check bounded(String name, String bound, List<? extends Case> cases) {
        return new Check(name, Accuracy.within(bound), List.copyOf(cases));
    }
}
