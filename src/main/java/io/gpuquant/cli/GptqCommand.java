package io.gpuquant.cli;

import io.gpuquant.UsageException;
import io.gpuquant.format.GptqVersion;
import io.gpuquant.format.PackedFormat;
import io.gpuquant.job.QuantizationJobOptions;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code gpuquant gptq}. */
@Command(
        name = "gptq",
        mixinStandardHelpOptions = true,
        versionProvider = VersionText.class,
        sortOptions = false,
        description = "Quantizes a checkpoint with GPTQ; an unfinished run of the same command resumes by itself.")
final class GptqCommand implements Callable<Integer> {

    private static final int DEFAULT_LENGTH = 2048;

    @Spec
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec spec;

    @Mixin
    private final OutputOption output = new OutputOption();

    @Option(
            names = "--format",
            paramLabel = "gptq|gptq_v2",
            defaultValue = "gptq",
            converter = FormatConverter.class,
            description = "The version of the checkpoint format; every engine reads gptq. Default: ${DEFAULT-VALUE}.")
    private PackedFormat format = GptqVersion.V1;

    @Mixin
    private final SymmetryOption symmetry = new SymmetryOption();

    @Option(
            names = "--desc-act",
            description =
                    "Quantize the most active input features first, whatever their group; engines need g_idx then.")
    private boolean descAct;

    @Option(names = "--static-groups", description = "Find the scales of all groups before any weight is changed.")
    private boolean staticGroups;

    @Option(
            names = "--gar",
            negatable = true,
            defaultValue = "true",
            fallbackValue = "true",
            description =
                    "Reorder within groups and groups among themselves (default): most of the gain of --desc-act at no"
                            + " cost to engines.")
    private boolean groupAware = true;

    @Option(
            names = "--damp",
            paramLabel = "FRACTION",
            defaultValue = "0.05",
            description = "Damping of the Hessian's diagonal; raised by itself where it is too little."
                    + " Default: ${DEFAULT-VALUE}.")
    private double damping = 0.05;

    @Option(names = "--mse", description = "Search each group's scale for the least squared error.")
    private boolean mse;

    @Mixin
    private final CalibrationOption calibration = new CalibrationOption();

    @Mixin
    private final DeviceOption device = new DeviceOption();

    @Mixin
    private final RunOptions run = new RunOptions();

    @Override
    public Integer call() {
        output.check();
        if (!(damping > 0 && damping < 1)) {
            throw new UsageException("--damp " + damping + " is not a fraction between 0 and 1; 0.05 is usual");
        }
        QuantizationJobOptions.Gptq method = new QuantizationJobOptions.Gptq(
                descAct, staticGroups, groupAware, damping, mse, calibration.toCalibration(DEFAULT_LENGTH));
        return new QuantizationRun(spec.commandLine(), output, device, run).run(method, symmetry.symmetric, format);
    }
}
