package io.gpuquant.cli;

import io.gpuquant.format.GptqVersion;
import io.gpuquant.job.QuantizationJobOptions;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code gpuquant rtn}. */
@Command(
        name = "rtn",
        mixinStandardHelpOptions = true,
        versionProvider = VersionText.class,
        sortOptions = false,
        description =
                "Quantizes a checkpoint by rounding to nearest: the baseline, in seconds, without calibration text.")
final class RtnCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec spec;

    @Mixin
    private final OutputOption output = new OutputOption();

    @Mixin
    private final FormatOption format = new FormatOption();

    @Option(
            names = "--sym",
            negatable = true,
            defaultValue = "true",
            fallbackValue = "true",
            description = "Grids symmetric about zero (default), or each with its own zero point.")
    private boolean symmetric = true;

    @Mixin
    private final DeviceOption device = new DeviceOption();

    @Mixin
    private final TraceOption trace = new TraceOption();

    @Mixin
    private final RunOptions run = new RunOptions();

    @Override
    public Integer call() {
        output.check();
        return new QuantizationRun(spec.commandLine(), device, trace, run)
                .run(output.toOptions(new QuantizationJobOptions.Rtn(), symmetric, format.or(GptqVersion.V1)));
    }
}
