package io.gpuquant.job;

import io.gpuquant.InputException;
import io.gpuquant.UsageException;
import io.gpuquant.format.AwqScheme;
import io.gpuquant.format.AwqVersion;
import io.gpuquant.format.PackQuantizedScheme;
import io.gpuquant.format.PackedScheme;
import io.gpuquant.format.TargetScheme;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.tensor.DType;
import java.util.Optional;

/** A layout that quantized checkpoints can be converted to. */
public enum ConversionTarget {
    /** AWQ's layout for every engine. */
    GEMM("gemm"),
    /** AWQ's layout for GPTQModel's kernels for single tokens. */
    GEMV("gemv"),
    /** {@code pack-quantized} of compressed-tensors. */
    COMPRESSED_TENSORS("compressed-tensors");

    private static final int AWQ_BITS = 4;

    private final String optionName;

    ConversionTarget(String optionName) {
        this.optionName = optionName;
    }

    /** Its name on the command line. */
    public String optionName() {
        return optionName;
    }

    /**
     * The scheme of a converted checkpoint.
     *
     * @throws UsageException when the source is in this layout already
     * @throws InputException when this layout cannot hold what the source holds
     */
    TargetScheme scheme(ConversionSource source) {
        TargetScheme scheme = switch (this) {
            case GEMM -> awq(source, AwqVersion.GEMM);
            case GEMV -> awq(source, AwqVersion.GEMV);
            case COMPRESSED_TENSORS -> packQuantized(source);
        };
        for (LinearSpec linear : source.linears()) {
            Optional<String> obstacle = scheme.obstacle(linear.in(), linear.out());
            if (obstacle.isPresent()) {
                throw cannot(linear.name() + " has " + obstacle.get());
            }
        }
        return scheme;
    }

    private AwqScheme awq(ConversionSource source, AwqVersion version) {
        PackedScheme from = source.scheme();
        if (from instanceof AwqScheme awq && awq.version() == version) {
            throw alreadyThere(source);
        }
        if (from.bits() != AWQ_BITS) {
            throw cannot(source.folder() + " has " + from.bits() + "-bit weights and AWQ's layouts hold 4-bit ones");
        }
        Optional<String> inexact = source.survey().inexactInF16();
        if (inexact.isPresent()) {
            throw cannot(inexact.get() + ", which F16, the type of AWQ's scales, does not hold exactly");
        }
        try {
            return new AwqScheme(from.groupSize(), false, version);
        } catch (IllegalArgumentException impossible) {
            throw cannot(source.folder() + " has groups of " + from.groupSize()
                    + " and the GEMV layout takes 32, 64, 128 and more");
        }
    }

    /** Zero points go where all are in the middle. Scales are BF16 in a BF16 model if that loses nothing of any of them. */
    private PackQuantizedScheme packQuantized(ConversionSource source) {
        PackedScheme from = source.scheme();
        if (from instanceof PackQuantizedScheme) {
            throw alreadyThere(source);
        }
        ConversionSource.Survey survey = source.survey();
        boolean bf16 =
                source.modelType() == DType.BF16 && survey.inexactInBf16().isEmpty();
        return new PackQuantizedScheme(
                from.bits(), from.groupSize(), survey.symmetric(), bf16 ? DType.BF16 : DType.F16);
    }

    private UsageException alreadyThere(ConversionSource source) {
        return new UsageException(
                source.folder() + " is in the layout " + optionName + " already; give another with --to");
    }

    private InputException cannot(String reason) {
        return new InputException(
                "the conversion to " + optionName + " would lose something: " + reason + "; convert to another layout");
    }
}
