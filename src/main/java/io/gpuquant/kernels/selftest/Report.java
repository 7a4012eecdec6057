package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceInfo;
import java.util.List;
import java.util.Optional;

/**
 * What came of a self-test.
 *
 * @param device the device that was tested
 * @param blas who computes its matrix products, in words
 * @param reference what it was compared with, in words
 * @param findings in the order of testing; a device that a kernel has broken is not tested further
 */
public record Report(DeviceInfo device, String blas, String reference, List<Finding> findings) {

    public Report {
        findings = List.copyOf(findings);
    }

    /** The first that failed. */
    public Optional<Finding> firstFailure() {
        return findings.stream().filter(finding -> !finding.isOk()).findFirst();
    }

    /** Cases in all. */
    public int cases() {
        return findings.stream().mapToInt(Finding::cases).sum();
    }
}
