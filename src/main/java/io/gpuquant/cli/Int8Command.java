package io.gpuquant.cli;

import io.gpuquant.UsageException;
import io.gpuquant.format.CompressedPreset;
import io.gpuquant.job.ElementJobOptions;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code gpuquant int8}. */
@Command(
        name = "int8",
        mixinStandardHelpOptions = true,
        versionProvider = VersionText.class,
        sortOptions = false,
        description = "Makes an INT8 checkpoint (W8A8) for vLLM and SGLang, with outliers of activations moved into the"
                + " weights (SmoothQuant).")
final class Int8Command implements Callable<Integer> {

    private static final int DEFAULT_LENGTH = 512;

    @Spec
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec spec;

    @Mixin
    private final DestinationOption destination = new DestinationOption();

    @Option(
            names = "--smooth",
            paramLabel = "STRENGTH",
            defaultValue = "0.8",
            description = "How much of the outliers goes into the weights, from 0 to 1; 0 leaves them and needs no"
                    + " calibration text. Default: ${DEFAULT-VALUE}.")
    private double smooth = 0.8;

    @Mixin
    private final CalibrationOption calibration = new CalibrationOption();

    @Mixin
    private final ForwardDeviceOption device = new ForwardDeviceOption();

    @Mixin
    private final RunOptions run = new RunOptions();

    @Override
    public Integer call() {
        if (!(smooth >= 0 && smooth <= 1)) {
            throw new UsageException("--smooth " + smooth + " is not between 0 and 1; 0.8 is usual");
        }
        return new ElementRun(spec.commandLine(), device, run)
                .run(new ElementJobOptions(
                        destination.model,
                        destination.output("int8"),
                        destination.overwrite,
                        "int8",
                        new ElementJobOptions.Compressed(CompressedPreset.W8A8),
                        smooth,
                        smooth > 0 ? calibration.toCalibration(DEFAULT_LENGTH) : null));
    }
}
