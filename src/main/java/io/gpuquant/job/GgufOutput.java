package io.gpuquant.job;

import io.gpuquant.ResourceException;
import io.gpuquant.UsageException;
import io.gpuquant.file.DurableFile;
import io.gpuquant.file.OutputFailure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;

/**
 * The files a job makes. They grow in a folder {@code OUT.partial} beside where they will be, and are moved when all of them are
 * complete.
 */
final class GgufOutput implements AutoCloseable {

    private final OutputFolder folder;
    private final Path parent;
    private final List<String> names;

    private GgufOutput(OutputFolder folder, Path parent, List<String> names) {
        this.folder = folder;
        this.parent = parent;
        this.names = names;
    }

    /**
     * Checks that the files can be made.
     *
     * @throws UsageException when there are such files already and they may not be replaced
     * @throws ResourceException when there is no place for them
     */
    static void check(GgufPlan plan) {
        Path output = plan.options().output();
        Path parent = parentOf(output);
        for (GgufPlan.File file : plan.files()) {
            Path target = parent.resolve(file.name());
            if (Files.isDirectory(target)) {
                throw new UsageException(
                        target + " is a folder, which a file cannot replace; give another name with --out");
            }
            if (Files.exists(target) && !plan.options().overwrite()) {
                throw new UsageException(
                        target + " exists already; give another file with --out, or --overwrite to replace it");
            }
        }
        if (!Files.isDirectory(parent)) {
            throw new ResourceException(
                    "the folder " + parent + " for --out " + output + " does not exist; make it first");
        }
        if (!Files.isWritable(parent)) {
            throw new ResourceException("the folder " + parent
                    + " is not writable; choose another place with --out, or change its permissions");
        }
        requireSpace(plan, parent);
    }

    private static void requireSpace(GgufPlan plan, Path parent) {
        Path partial = OutputFolder.partialOf(plan.options().output());
        try {
            long free = Files.getFileStore(parent).getUsableSpace();
            for (GgufPlan.File file : plan.files()) {
                Path begun = partial.resolve(file.name());
                free += Files.exists(begun) ? Files.size(begun) : 0;
            }
            if (free < plan.bytes()) {
                throw new ResourceException(plan.options().output() + " will take " + Sizes.format(plan.bytes())
                        + ", but only " + Sizes.format(free)
                        + " are free there; choose another place with --out, or make room");
            }
        } catch (IOException unknown) {
            // A file system that does not say how much is free will say when it is full.
        }
    }

    private static Path parentOf(Path output) {
        return OutputFolder.partialOf(output).resolveSibling("");
    }

    /** Opens the folder in which the files grow; it may be there from a run that was interrupted. */
    static GgufOutput open(GgufPlan plan) {
        Path output = plan.options().output();
        return new GgufOutput(
                OutputFolder.open(output),
                parentOf(output),
                plan.files().stream().map(GgufPlan.File::name).toList());
    }

    /** The folder in which the files grow. */
    Path partial() {
        return folder.partial();
    }

    /** Whether all files have been begun. */
    boolean isBegun() {
        return names.stream().allMatch(name -> Files.isRegularFile(partial().resolve(name)));
    }

    /** Empties the folder. */
    void clear() {
        folder.clear();
    }

    /** Removes the folder. */
    void discard() {
        folder.discard();
    }

    /** Gives the files their names; the first of a set, which loaders open, comes last. Returns them in their order. */
    List<Path> publish() {
        for (String name : names.reversed()) {
            try {
                Files.move(
                        partial().resolve(name),
                        parent.resolve(name),
                        StandardCopyOption.ATOMIC_MOVE,
                        StandardCopyOption.REPLACE_EXISTING);
            } catch (IOException failure) {
                throw OutputFailure.of(parent.resolve(name), failure);
            }
        }
        DurableFile.forceDirectory(parent);
        folder.discard();
        return names.stream().map(parent::resolve).toList();
    }

    @Override
    public void close() {
        folder.close();
    }
}
