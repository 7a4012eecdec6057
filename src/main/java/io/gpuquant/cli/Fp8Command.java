package io.gpuquant.cli;

import io.gpuquant.UsageException;
import io.gpuquant.format.CompressedPreset;
import io.gpuquant.job.ElementJobOptions;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code gpuquant fp8}. */
@Command(
        name = "fp8",
        mixinStandardHelpOptions = true,
        versionProvider = VersionText.class,
        sortOptions = false,
        description =
                "Makes an FP8 checkpoint for vLLM, SGLang and transformers; only the static scheme needs calibration"
                        + " text.")
final class Fp8Command implements Callable<Integer> {

    private static final int DEFAULT_LENGTH = 2048;

    @Spec
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec spec;

    @Mixin
    private final DestinationOption destination = new DestinationOption();

    @Option(
            names = "--scheme",
            paramLabel = "dynamic|static|block",
            defaultValue = "DYNAMIC",
            description =
                    "A scale per output feature and per token, one per weight and per input, or one per block of 128"
                            + " by 128. Default: dynamic.")
    private Scheme scheme = Scheme.DYNAMIC;

    @Option(
            names = "--layout",
            paramLabel = "compressed-tensors|hf",
            defaultValue = "compressed-tensors",
            converter = LayoutConverter.class,
            description =
                    "The layout; hf, for blocks, is the one DeepSeek-V3 was published in. Default: ${DEFAULT-VALUE}.")
    private Layout layout = Layout.COMPRESSED_TENSORS;

    @Mixin
    private final CalibrationOption calibration = new CalibrationOption();

    @Mixin
    private final ForwardDeviceOption device = new ForwardDeviceOption();

    @Mixin
    private final RunOptions run = new RunOptions();

    /** What shares a scale. */
    private enum Scheme {
        DYNAMIC,
        STATIC,
        BLOCK
    }

    /** How tensors are named. */
    private enum Layout {
        COMPRESSED_TENSORS,
        HF
    }

    /** Reads the name of a layout. */
    private static final class LayoutConverter implements ITypeConverter<Layout> {

        @Override
        public Layout convert(String text) {
            return switch (text) {
                case "compressed-tensors" -> Layout.COMPRESSED_TENSORS;
                case "hf" -> Layout.HF;
                default -> throw new TypeConversionException("'" + text + "' is not one of compressed-tensors and hf");
            };
        }
    }

    @Override
    public Integer call() {
        if (layout == Layout.HF && scheme != Scheme.BLOCK) {
            throw new UsageException("--layout hf has scales of blocks only, because engines do not agree on others;"
                    + " use --scheme block, or --layout compressed-tensors");
        }
        String name = scheme.name().toLowerCase(Locale.ROOT);
        return new ElementRun(spec.commandLine(), device, run)
                .run(new ElementJobOptions(
                        destination.model,
                        destination.output("fp8-" + name + (layout == Layout.HF ? "-hf" : "")),
                        destination.overwrite,
                        "fp8",
                        target(),
                        0,
                        scheme == Scheme.STATIC ? calibration.toCalibration(DEFAULT_LENGTH) : null));
    }

    private ElementJobOptions.Target target() {
        if (layout == Layout.HF) {
            return new ElementJobOptions.Fp8Blocks();
        }
        return new ElementJobOptions.Compressed(
                switch (scheme) {
                    case DYNAMIC -> CompressedPreset.FP8_DYNAMIC;
                    case STATIC -> CompressedPreset.FP8;
                    case BLOCK -> CompressedPreset.FP8_BLOCK;
                });
    }
}
