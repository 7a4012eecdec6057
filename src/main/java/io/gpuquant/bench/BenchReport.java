package io.gpuquant.bench;

import io.gpuquant.device.DeviceInfo;
import java.util.List;

/**
 * What was measured.
 *
 * @param blas who computes the device's matrix products, in words
 * @param kernels every kernel
 * @param steps the steps of quantizing a layer, each over the whole layer
 * @param leftOut kernels and steps for which the device has not enough memory
 */
public record BenchReport(
        DeviceInfo device,
        String blas,
        LayerShape shape,
        Rates rates,
        List<Measurement> kernels,
        List<Measurement> steps,
        List<String> leftOut) {

    public BenchReport {
        kernels = List.copyOf(kernels);
        steps = List.copyOf(steps);
        leftOut = List.copyOf(leftOut);
    }

    /** Seconds of all steps. */
    public double layerSeconds() {
        return steps.stream().mapToDouble(Measurement::seconds).sum();
    }
}
