package io.gpuquant.cli;

import io.gpuquant.UsageException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Options of what is quantized and where to. */
final class DestinationOption {

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

    /**
     * The folder to make.
     *
     * @param suffix what is added to the model's name where the user gave none
     */
    Path output(String suffix) {
        if (out != null) {
            return out;
        }
        Path absolute = model.toAbsolutePath().normalize();
        Path name = absolute.getFileName();
        if (name == null) {
            throw new UsageException("no name for the output follows from " + model + "; give one with --out");
        }
        return absolute.resolveSibling(name + "-" + suffix);
    }
}
