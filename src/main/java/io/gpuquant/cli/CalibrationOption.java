package io.gpuquant.cli;

import io.gpuquant.UsageException;
import io.gpuquant.calibration.CalibrationOptions;
import io.gpuquant.calibration.TextFile;
import io.gpuquant.job.QuantizationJobOptions;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options of what to calibrate with. */
class CalibrationOption {

    @Option(
            names = "--calibration",
            paramLabel = "FILE",
            description = "Text like the model's users write, or conversations with it: a " + TextFile.FORMATS + "."
                    + " Default: a mixed text that comes with gpuquant.")
    @Nullable
    Path file;

    @Option(
            names = "--text-field",
            paramLabel = "NAME",
            defaultValue = TextFile.DEFAULT_TEXT_FIELD,
            description =
                    "The field of a row that holds the text or the list of messages. Default: ${DEFAULT-VALUE}, else"
                            + " messages or conversations.")
    String textField = TextFile.DEFAULT_TEXT_FIELD;

    @Option(
            names = "--samples",
            paramLabel = "N",
            defaultValue = "128",
            description = "The most sequences to use. Default: ${DEFAULT-VALUE}.")
    int samples = 128;

    @Option(
            names = "--sequence-length",
            paramLabel = "N",
            description = "Tokens of a sequence, capped by what the model can take. Default: 2048, for awq 512.")
    @Nullable
    Integer sequenceLength;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "Decides which sequences are used when there are more. Default: ${DEFAULT-VALUE}.")
    long seed;

    /**
     * What was asked for.
     *
     * @param defaultLength tokens of a sequence where the user gave none
     */
    QuantizationJobOptions.Calibration toCalibration(int defaultLength) {
        int length = sequenceLength == null ? defaultLength : sequenceLength;
        if (samples < 1) {
            throw new UsageException("--samples " + samples + " is not a number of sequences; use 1 or more");
        }
        if (length < 2) {
            throw new UsageException("--sequence-length " + length + " is too short; use 2 or more");
        }
        TextFile text = file == null ? null : new TextFile(file, textField);
        return new QuantizationJobOptions.Calibration(text, new CalibrationOptions(length, samples, seed));
    }
}
