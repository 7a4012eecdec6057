package io.gpuquant.job;

import io.gpuquant.InputException;
import io.gpuquant.UsageException;
import io.gpuquant.llamacpp.TensorMap;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.ModelStructure;
import java.nio.file.Files;
import java.nio.file.Path;

/** Checks that an importance matrix can be made and put where it is wanted, before anything is done for it. */
final class ImportanceOutput {

    private static final String SHARED_OPTION = "--also-imatrix";

    private ImportanceOutput() {}

    /**
     * Fails for what cannot be the name of a file.
     *
     * @param option that named it
     */
    static void requireFile(String option, Path file) {
        Path parent = file.toAbsolutePath().getParent();
        if (Files.isDirectory(file) || parent == null || !Files.isDirectory(parent)) {
            throw new UsageException(
                    option + " " + file + " is not the name of a file in a folder that exists; give another");
        }
    }

    /** Fails where the matrix that a job is to make beside its checkpoint would go with a folder that the job replaces. */
    static void check(QuantizationJobOptions options) {
        options.importance().ifPresent(file -> {
            requireFile(SHARED_OPTION, file);
            Path absolute = file.toAbsolutePath().normalize();
            if (absolute.startsWith(options.output().toAbsolutePath().normalize())
                    || absolute.startsWith(OutputFolder.partialOf(options.output()))) {
                throw new UsageException(SHARED_OPTION + " " + file + " is in the folder that is made; give a place"
                        + " outside of " + options.output());
            }
        });
    }

    /**
     * Fails for a model whose linears have no names in llama.cpp.
     *
     * @throws InputException that names one
     */
    static void requireNames(ModelStructure structure) {
        for (LinearSpec linear : structure.linears()) {
            if (TensorMap.weightName(structure.config(), linear.name()).isEmpty()) {
                throw new InputException(
                        linear.name() + " has no name in llama.cpp that gpuquant knows, so an importance"
                                + " matrix cannot speak of it; leave out " + SHARED_OPTION);
            }
        }
    }
}
