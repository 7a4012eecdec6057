package io.gpuquant.cli;

import io.gpuquant.UsageException;
import io.gpuquant.format.BnbType;
import io.gpuquant.job.ElementJobOptions;
import io.gpuquant.tensor.DType;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code gpuquant bnb}. */
@Command(
        name = "bnb",
        mixinStandardHelpOptions = true,
        versionProvider = VersionText.class,
        sortOptions = false,
        description =
                "Makes a checkpoint of bitsandbytes, which transformers loads and PEFT fine-tunes (QLoRA); needs no"
                        + " calibration text.")
final class BnbCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec spec;

    @Mixin
    private final DestinationOption destination = new DestinationOption();

    @Option(
            names = "--type",
            paramLabel = "nf4|fp4|int8",
            defaultValue = "nf4",
            description = "The element type: nf4 for fine-tuning, int8 for LLM.int8(). Default: ${DEFAULT-VALUE}.")
    private BnbType type = BnbType.NF4;

    @Option(names = "--double-quant", description = "Quantize the scales of blocks too: 0.37 bits less per weight.")
    private boolean doubleQuant;

    @Option(
            names = "--compute-dtype",
            paramLabel = "bf16|fp16|fp32",
            defaultValue = "bf16",
            converter = ComputeType.class,
            description = "What engines compute four-bit linears in. Default: ${DEFAULT-VALUE}.")
    private DType computeType = DType.BF16;

    @Mixin
    private final DeviceOption device = new DeviceOption();

    @Mixin
    private final RunOptions run = new RunOptions();

    /** Reads the name of an element type. */
    private static final class ComputeType implements ITypeConverter<DType> {

        @Override
        public DType convert(String text) {
            return switch (text) {
                case "bf16", "bfloat16" -> DType.BF16;
                case "fp16", "float16" -> DType.F16;
                case "fp32", "float32" -> DType.F32;
                default -> throw new TypeConversionException("'" + text + "' is not one of bf16, fp16 and fp32");
            };
        }
    }

    @Override
    public Integer call() {
        if (doubleQuant && type == BnbType.INT8) {
            throw new UsageException("--double-quant is for --type nf4 and fp4; int8 has a scale per row only");
        }
        String suffix = "bnb-" + type.typeName() + (doubleQuant ? "-dq" : "");
        return new ElementRun(spec.commandLine(), device, run)
                .run(new ElementJobOptions(
                        destination.model,
                        destination.output(suffix),
                        destination.overwrite,
                        "bnb",
                        new ElementJobOptions.Bnb(type, doubleQuant, computeType),
                        0,
                        null));
    }
}
