package io.gpuquant.cli;

import io.gpuquant.UsageException;
import io.gpuquant.format.PackedFormat;
import io.gpuquant.hub.Hub;
import io.gpuquant.hub.ModelReference;
import io.gpuquant.job.QuantizationJobOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Options of what every quantizing command makes. */
final class OutputOption {

    private static final Set<Integer> BITS = Set.of(2, 3, 4, 8);

    @Spec(Spec.Target.MIXEE)
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec command;

    private final Hub.Parts parts;

    @Parameters(index = "0", paramLabel = "MODEL", description = ModelLocation.DESCRIPTION)
    Path model = Path.of("");

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description =
                    "The folder to make. Default: named after the model and beside it; in the current folder for a model"
                            + " in the cache.")
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

    /** Of a command that needs all of the model. */
    OutputOption() {
        this(Hub.Parts.EVERYTHING);
    }

    /** Of a command that needs some of the model. */
    OutputOption(Hub.Parts parts) {
        this.parts = parts;
    }

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

    /** All of it, for a method; a model that is not here is downloaded. */
    QuantizationJobOptions toOptions(
            QuantizationJobOptions.MethodOptions method, boolean symmetric, PackedFormat format) {
        Path output = output(method.name());
        Path folder = switch (parts) {
            case CONFIGURATION -> ModelLocation.folder(command, model, parts);
            case EVERYTHING -> ModelLocation.supported(command, model);
        };
        return new QuantizationJobOptions(folder, output, overwrite, method, bits, groupSize, symmetric, format);
    }

    private Path output(String method) {
        if (out != null) {
            return out;
        }
        String suffix = "-" + method + "-" + bits + "bit" + (groupSize == -1 ? "" : "-g" + groupSize);
        Optional<String> cached = nameInCache();
        if (cached.isPresent()) {
            return Path.of("").toAbsolutePath().resolve(cached.get() + suffix);
        }
        Path absolute = model.toAbsolutePath().normalize();
        Path name = absolute.getFileName();
        if (name == null) {
            throw new UsageException("no name for the output follows from " + model + "; give one with --out");
        }
        return absolute.resolveSibling(name + suffix);
    }

    /** The cache belongs to other tools too, and its folders are named after commits: no place for an output. */
    private Optional<String> nameInCache() {
        Optional<ModelReference> reference = ModelLocation.onHub(model);
        if (reference.isPresent()) {
            return reference.map(ModelReference::name);
        }
        try {
            return Hub.nameOfSnapshot(model.toRealPath());
        } catch (IOException notHere) {
            return Optional.empty();
        }
    }
}
