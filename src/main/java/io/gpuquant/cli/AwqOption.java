package io.gpuquant.cli;

import io.gpuquant.UsageException;
import io.gpuquant.format.AwqVersion;
import io.gpuquant.format.PackedFormat;
import io.gpuquant.job.QuantizationJobOptions;
import io.gpuquant.job.QuantizationJobOptions.Objective;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options of how AWQ works. */
final class AwqOption {

    private static final int DEFAULT_LENGTH = 512;
    private static final int MOST_RATIOS = 1000;

    @Option(
            names = "--version",
            paramLabel = "GEMM|GEMV",
            description = "The layout within the format awq; vLLM and SGLang read GEMM only. Default: GEMM.")
    private @Nullable AwqVersion version;

    @Option(
            names = "--zero-point",
            negatable = true,
            defaultValue = "true",
            fallbackValue = "true",
            description = "Each group with its own zero point (default), or grids symmetric about zero.")
    private boolean zeroPoint = true;

    @Option(
            names = "--objective",
            paramLabel = "module|gram",
            defaultValue = "MODULE",
            description = "Judge scales by the output of the attention or MLP, or by the outputs of the linears."
                    + " Default: module.")
    private Objective objective = Objective.MODULE;

    @Option(
            names = "--grid",
            paramLabel = "N",
            defaultValue = "20",
            description = "How many ratios between activations and weights are tried. Default: ${DEFAULT-VALUE}.")
    private int ratios = 20;

    @Option(names = "--no-clip", description = "Do not search the range of each group.")
    private boolean noClip;

    @Option(names = "--no-duo", description = "Scale by activations alone, not by weights too.")
    private boolean noDuo;

    @Option(
            names = "--propagate",
            negatable = true,
            defaultValue = "true",
            fallbackValue = "true",
            description = "Calibrate each layer with what the quantized layers before it give (default), or with what"
                    + " the original ones give.")
    private boolean propagate = true;

    /** The job as asked for. */
    QuantizationJobOptions toOptions(OutputOption output, FormatOption format, CalibrationOption calibration) {
        if (ratios < 0 || ratios > MOST_RATIOS) {
            throw new UsageException(
                    "--grid " + ratios + " is not a number of ratios; use 0 to " + MOST_RATIOS + ", 20 is usual");
        }
        QuantizationJobOptions.Awq method = new QuantizationJobOptions.Awq(
                objective, ratios, !noDuo, !noClip, propagate, calibration.toCalibration(DEFAULT_LENGTH));
        return output.toOptions(method, !zeroPoint, layout(format.or(AwqVersion.GEMM)));
    }

    private PackedFormat layout(PackedFormat format) {
        if (version == null) {
            return format;
        }
        if (!(format instanceof AwqVersion)) {
            throw new UsageException("--version " + version
                    + " is a layout of the format awq; leave it out, or leave out --format " + format.formatName());
        }
        return version;
    }
}
