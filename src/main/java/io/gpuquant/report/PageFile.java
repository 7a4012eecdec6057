package io.gpuquant.report;

import io.gpuquant.ResourceException;
import io.gpuquant.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** A page on the disk. It appears under its name only when it is complete. */
public record PageFile(Path file) {

    /**
     * Fails when the page could not be written, before anything is computed for it.
     *
     * @throws UsageException when it is a folder or lies in none
     */
    public void check() {
        Path folder = file.toAbsolutePath().getParent();
        if (Files.isDirectory(file)) {
            throw new UsageException("--html " + file + " is a folder; name a file in it");
        }
        if (folder == null || !Files.isDirectory(folder)) {
            throw new UsageException(
                    "--html " + file + " lies in a folder that does not exist; make it, or name another");
        }
        if (!Files.isWritable(folder)) {
            throw new UsageException("--html " + file + " lies in a folder that may not be written to; name another");
        }
    }

    /**
     * Writes the page, over one that was there.
     *
     * @throws ResourceException when that fails
     */
    public void write(String page) {
        Path partial = file.resolveSibling(file.getFileName() + ".partial");
        try {
            Files.writeString(partial, page);
            Files.move(partial, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException failure) {
            deleteQuietly(partial);
            throw new ResourceException(
                    "--html " + file + " cannot be written (" + failure.getMessage()
                            + "); choose a file in a folder that is writable and has space",
                    failure);
        }
    }

    private static void deleteQuietly(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException ignored) {
            // The failure that is about to be reported says more than this one.
        }
    }
}
