package io.gpuquant.job;

import io.gpuquant.calibration.CalibrationReport;
import io.gpuquant.quantize.LinearReport;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a job has made.
 *
 * @param reports one per quantized linear, in the order they are computed
 * @param calibration what the ranges of activations come from; null where none were needed
 * @param sourceBytes bytes of the source's tensors
 * @param outputBytes bytes of the output's tensors
 * @param peakDeviceBytes the most device memory that was held at once
 * @param verifiedTensors tensors that were read back and found to be what was written
 */
public record ElementResult(
        Path output,
        ElementPlan plan,
        List<LinearReport> reports,
        @Nullable CalibrationReport calibration,
        long sourceBytes,
        long outputBytes,
        long peakDeviceBytes,
        int verifiedTensors) {

    public ElementResult {
        reports = List.copyOf(reports);
    }
}
