package io.gpuquant.cli;

import io.gpuquant.job.QuantizationJobOptions;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options of what to calibrate with, and of what else to make of it. */
final class SharedCalibrationOption extends CalibrationOption {

    @Option(
            names = "--also-imatrix",
            paramLabel = "FILE",
            description =
                    "Write an importance matrix of the same pass over the text, too, for gpuquant gguf --imatrix and"
                            + " for llama.cpp.")
    private @Nullable Path importance;

    @Override
    QuantizationJobOptions.Calibration toCalibration(int defaultLength) {
        QuantizationJobOptions.Calibration calibration = super.toCalibration(defaultLength);
        return new QuantizationJobOptions.Calibration(calibration.text(), calibration.sampling(), importance);
    }
}
