package io.gpuquant.cli;

import io.gpuquant.UsageException;
import io.gpuquant.format.GptqVersion;
import io.gpuquant.job.QuantizationJobOptions;
import picocli.CommandLine.Option;

/** Options of how GPTQ works. */
final class GptqOption {

    private static final int DEFAULT_LENGTH = 2048;

    @Option(
            names = "--sym",
            negatable = true,
            defaultValue = "true",
            fallbackValue = "true",
            description = "Grids symmetric about zero (default), or each with its own zero point.")
    boolean symmetric = true;

    @Option(
            names = "--desc-act",
            description =
                    "Quantize the most active input features first, whatever their group; engines need g_idx then.")
    boolean descAct;

    @Option(names = "--static-groups", description = "Find the scales of all groups before any weight is changed.")
    boolean staticGroups;

    @Option(
            names = "--gar",
            negatable = true,
            defaultValue = "true",
            fallbackValue = "true",
            description =
                    "Reorder within groups and groups among themselves (default): most of the gain of --desc-act at no"
                            + " cost to engines.")
    boolean groupAware = true;

    @Option(
            names = "--damp",
            paramLabel = "FRACTION",
            defaultValue = "0.05",
            description = "Damping of the Hessian's diagonal; raised by itself where it is too little."
                    + " Default: ${DEFAULT-VALUE}.")
    double damping = 0.05;

    @Option(names = "--mse", description = "Search each group's scale for the least squared error.")
    boolean mse;

    /** The job as asked for. */
    QuantizationJobOptions toOptions(OutputOption output, FormatOption format, CalibrationOption calibration) {
        if (!(damping > 0 && damping < 1)) {
            throw new UsageException("--damp " + damping + " is not a fraction between 0 and 1; 0.05 is usual");
        }
        QuantizationJobOptions.Gptq method = new QuantizationJobOptions.Gptq(
                descAct, staticGroups, groupAware, damping, mse, calibration.toCalibration(DEFAULT_LENGTH));
        return output.toOptions(method, symmetric, format.or(GptqVersion.V1));
    }
}
