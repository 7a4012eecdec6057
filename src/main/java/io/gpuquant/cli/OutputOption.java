package io.gpuquant.cli;

import io.gpuquant.UsageException;
import io.gpuquant.format.PackedFormat;
import io.gpuquant.job.QuantizationJobOptions;
import java.nio.file.Path;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Options of what every quantizing command makes. */
final class OutputOption {

    private static final Set<Integer> BITS = Set.of(2, 3, 4, 8);

    @Parameters(index = "0", paramLabel = "MODEL", description = "The folder of a Hugging Face checkpoint.")
    Path model = Path.of("");

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description = "The folder to make. Default: beside the model, named after it.")
    @Nullable
    Path out;

    @Option(names = "--overwrite", description = "Replace a folder of that name.")
    boolean overwrite;

    @Option(
            names = "--bits",
            paramLabel = "2|3|4|8",
            defaultValue = "4",
            description = "Bits of a weight. Default: ${DEFAULT-VALUE}.")
    int bits = 4;

    @Option(
            names = "--group-size",
            paramLabel = "N",
            defaultValue = "128",
            description = "Input features that share a scale; -1 for all. Default: ${DEFAULT-VALUE}.")
    int groupSize = 128;

    /** Fails for values that no format has. */
    void check() {
        if (!BITS.contains(bits)) {
            throw new UsageException("--bits " + bits + " is not supported; use 2, 3, 4 or 8");
        }
        if (groupSize != -1 && groupSize < 1) {
            throw new UsageException("--group-size " + groupSize
                    + " is not a group size; use 128, 64, 32, or -1 for one group per output");
        }
    }

    /** All of it, for a method. */
    QuantizationJobOptions toOptions(
            QuantizationJobOptions.MethodOptions method, boolean symmetric, PackedFormat format) {
        return new QuantizationJobOptions(
                model, output(method.name()), overwrite, method, bits, groupSize, symmetric, format);
    }

    private Path output(String method) {
        if (out != null) {
            return out;
        }
        Path absolute = model.toAbsolutePath().normalize();
        Path name = absolute.getFileName();
        if (name == null) {
            throw new UsageException("no name for the output follows from " + model + "; give one with --out");
        }
        String group = groupSize == -1 ? "" : "-g" + groupSize;
        return absolute.resolveSibling(name + "-" + method + "-" + bits + "bit" + group);
    }
}
