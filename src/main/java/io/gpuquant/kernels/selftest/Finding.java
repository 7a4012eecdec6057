package io.gpuquant.kernels.selftest;

import java.util.Optional;

/**
 * What came of testing one kernel, or one service of the device.
 *
 * @param name the kernel's entry, or the service in words
 * @param cases how many inputs it was tested with
 * @param largestDeviation the largest difference from what it should have given
 * @param ofAllowed the largest difference as a share of what is allowed; at most one unless it failed
 * @param failure what is wrong, as half a sentence; empty if nothing is
 */
public record Finding(
        String name,
        Accuracy accuracy,
        int cases,
        double largestDeviation,
        double ofAllowed,
        Optional<String> failure) {

    /** Whether everything was as it should be. */
    public boolean isOk() {
        return failure.isEmpty();
    }
}
