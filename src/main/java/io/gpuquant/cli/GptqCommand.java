package io.gpuquant.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code gpuquant gptq}. */
@Command(
        name = "gptq",
        mixinStandardHelpOptions = true,
        versionProvider = VersionText.class,
        sortOptions = false,
        description = "Quantizes a checkpoint with GPTQ; an unfinished run of the same command resumes by itself.")
final class GptqCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec spec;

    @Mixin
    private final OutputOption output = new OutputOption();

    @Mixin
    private final FormatOption format = new FormatOption();

    @Mixin
    private final GptqOption method = new GptqOption();

    @Mixin
    private final CalibrationOption calibration = new SharedCalibrationOption();

    @Mixin
    private final ForwardDeviceOption device = new ForwardDeviceOption();

    @Mixin
    private final TraceOption trace = new TraceOption();

    @Mixin
    private final RunOptions run = new RunOptions();

    @Override
    public Integer call() {
        output.check();
        return new QuantizationRun(spec.commandLine(), device, trace, run)
                .run(method.toOptions(output, format, calibration));
    }
}
