package io.gpuquant.cli;

import io.gpuquant.format.CompressedPreset;
import io.gpuquant.job.ElementJobOptions;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code gpuquant fp4}. */
@Command(
        name = "fp4",
        mixinStandardHelpOptions = true,
        versionProvider = VersionText.class,
        sortOptions = false,
        description = "Makes a checkpoint in a microscaled format for vLLM; only nvfp4 needs calibration text.")
final class Fp4Command implements Callable<Integer> {

    private static final int DEFAULT_LENGTH = 2048;

    @Spec
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec spec;

    @Mixin
    private final DestinationOption destination = new DestinationOption();

    @Option(
            names = "--scheme",
            paramLabel = "nvfp4|nvfp4a16|mxfp4|mxfp8",
            defaultValue = "NVFP4",
            description = "NVFP4 with activations in FP4 or as they are, or the OCP formats. Default: nvfp4.")
    private Scheme scheme = Scheme.NVFP4;

    @Mixin
    private final CalibrationOption calibration = new CalibrationOption();

    @Mixin
    private final ForwardDeviceOption device = new ForwardDeviceOption();

    @Mixin
    private final RunOptions run = new RunOptions();

    /** The formats, by the names of their presets. */
    private enum Scheme {
        NVFP4,
        NVFP4A16,
        MXFP4,
        MXFP8
    }

    @Override
    public Integer call() {
        CompressedPreset preset = CompressedPreset.valueOf(scheme.name());
        return new ElementRun(spec.commandLine(), device, run)
                .run(new ElementJobOptions(
                        destination.model,
                        destination.output(scheme.name().toLowerCase(Locale.ROOT)),
                        destination.overwrite,
                        "fp4",
                        new ElementJobOptions.Compressed(preset),
                        0,
                        preset.needsRanges() ? calibration.toCalibration(DEFAULT_LENGTH) : null));
    }
}
