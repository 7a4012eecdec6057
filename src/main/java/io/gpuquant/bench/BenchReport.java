package io.gpuquant.bench;

import io.gpuquant.device.DeviceInfo;
import java.util.List;

/**
 * What was measured.
 *
 * @param blas who computes the device's matrix products, in words
 * @param kernels every kernel
 * @param attention the ways to compute the layer's attention that this device has, by their names
 * @param steps the steps of quantizing a layer, each over the whole layer
 * @param leftOut kernels and steps for which the device has not enough memory
 */
public record BenchReport(
        DeviceInfo device,
        String blas,
        LayerShape shape,
        Rates rates,
        List<Measurement> kernels,
        List<Measurement> attention,
        List<Measurement> steps,
        List<String> leftOut) {

    public BenchReport {
        kernels = List.copyOf(kernels);
        attention = List.copyOf(attention);
        steps = List.copyOf(steps);
        leftOut = List.copyOf(leftOut);
    }

    /** Seconds of all steps. */
    public double layerSeconds() {
        return steps.stream().mapToDouble(Measurement::seconds).sum();
    }
}
