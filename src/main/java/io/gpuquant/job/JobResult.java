package io.gpuquant.job;

import io.gpuquant.calibration.CalibrationReport;
import io.gpuquant.gguf.ImportanceMatrix;
import io.gpuquant.quantize.LinearReport;
import io.gpuquant.quantize.ScaleReport;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a job has made.
 *
 * @param reports one per quantized linear, in the order they are computed
 * @param scales one per AWQ group; empty for other methods
 * @param calibration what was calibrated with; null for methods that need no data
 * @param importance the matrix that was written beside; null where none was asked for
 * @param resumedLayers layers that an earlier run had finished
 * @param sourceBytes bytes of the source's tensors
 * @param outputBytes bytes of the output's tensors
 * @param peakDeviceBytes the most device memory that was held at once
 * @param verifiedTensors tensors that were read back and found to be what was written
 */
public record JobResult(
        Path output,
        QuantizationPlan plan,
        List<LinearReport> reports,
        List<ScaleReport> scales,
        @Nullable CalibrationReport calibration,
        @Nullable ImportanceMatrix importance,
        int resumedLayers,
        long sourceBytes,
        long outputBytes,
        long peakDeviceBytes,
        int verifiedTensors) {

    public JobResult {
        reports = List.copyOf(reports);
        scales = List.copyOf(scales);
    }
}
