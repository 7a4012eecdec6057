package io.gpuquant.job;

import io.gpuquant.ResourceException;
import io.gpuquant.UsageException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The folder a job makes. It grows under another name, {@code OUT.partial}, and gets its own when it is complete, in one
 * step; only one process at a time may work on it.
 */
final class OutputFolder implements AutoCloseable {

    private static final String LOCK = ".lock";

    private final Path output;
    private final Path partial;
    private final FileChannel lockFile;
    private final FileLock lock;

    private OutputFolder(Path output, Path partial, FileChannel lockFile, FileLock lock) {
        this.output = output;
        this.partial = partial;
        this.lockFile = lockFile;
        this.lock = lock;
    }

    /** The name under which an output grows. */
    static Path partialOf(Path output) {
        Path name = output.toAbsolutePath().normalize().getFileName();
        if (name == null) {
            throw new UsageException("--out " + output + " is not a name for a folder; give another");
        }
        return output.toAbsolutePath().normalize().resolveSibling(name + ".partial");
    }

    /**
     * Checks that the output can be made.
     *
     * @param model the folder it is made from
     * @param bytes that it will take at most
     * @throws UsageException when there is such a folder already and it may not be replaced
     * @throws ResourceException when there is no place for it
     */
    static void check(Path output, Path model, boolean overwrite, long bytes) {
        Path partial = partialOf(output);
        if (Files.exists(output) && !overwrite) {
            throw new UsageException(
                    output + " exists already; give another folder with --out, or --overwrite to replace it");
        }
        if (Files.exists(output) && !Files.isDirectory(output)) {
            throw new UsageException(
                    output + " is a file, which a folder cannot replace; give another name with --out");
        }
        if (Files.exists(output)) {
            requireReplaceable(output, model);
        }
        Path parent = partial.getParent();
        if (parent == null || !Files.isDirectory(parent)) {
            throw new ResourceException(
                    "the folder " + parent + " for --out " + output + " does not exist; make it first");
        }
        if (!Files.isWritable(parent)) {
            throw new ResourceException("the folder " + parent
                    + " is not writable; choose another place with --out, or change its permissions");
        }
        try {
            long free = Files.getFileStore(parent).getUsableSpace() + bytesOf(partial);
            if (free < bytes) {
                throw new ResourceException(output + " will take " + Sizes.format(bytes) + ", but only "
                        + Sizes.format(free) + " are free there; choose another place with --out, or make room");
            }
        } catch (IOException unknown) {
            // A file system that does not say how much is free will say when it is full.
        }
    }

    /** What {@code --overwrite} removes must be an output, not a folder of other things that was named by mistake. */
    private static void requireReplaceable(Path output, Path model) {
        try (var files = Files.list(output)) {
            if (model.toRealPath().startsWith(output.toRealPath())) {
                throw new UsageException(output
                        + " holds the model itself, which --overwrite would remove; give another folder with --out");
            }
            if (!Files.exists(output.resolve("config.json")) && files.findAny().isPresent()) {
                throw new UsageException(output + " holds something else than a checkpoint, which --overwrite does not"
                        + " remove; give another folder with --out");
            }
        } catch (IOException failure) {
            throw failure(output, failure);
        }
    }

    private static long bytesOf(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return 0;
        }
        long bytes = 0;
        try (var files = Files.list(folder)) {
            for (Path file : files.toList()) {
                bytes += Files.size(file);
            }
        }
        return bytes;
    }

    /**
     * Makes an output in one go, which is not continued when it is interrupted.
     *
     * @param write fills the growing folder, which is empty
     * @throws UsageException when the growing folder holds layers of an unfinished quantization, which are worth keeping
     * @throws io.gpuquant.GpuQuantException when it cannot be done; nothing is left behind then
     */
    static void makeAtOnce(Path output, Consumer<Path> write) {
        try (OutputFolder made = open(output)) {
            if (Journal.layersIn(made.partial()) > 0) {
                throw new UsageException(made.partial()
                        + " holds an unfinished quantization; finish that, delete the folder, or give"
                        + " another name with --out");
            }
            try {
                made.clear();
                write.accept(made.partial());
            } catch (RuntimeException | Error failure) {
                made.discard();
                throw failure;
            }
            made.publish();
        }
    }

    /**
     * Opens the growing folder, which may be there from a run that was interrupted.
     *
     * @throws ResourceException when it cannot be made, or another process works on it
     */
    static OutputFolder open(Path output) {
        Path partial = partialOf(output);
        @Nullable FileChannel lockFile = null;
        try {
            Files.createDirectories(partial);
            lockFile = FileChannel.open(partial.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            FileLock lock = lockFile.tryLock();
            if (lock != null) {
                return new OutputFolder(output, partial, lockFile, lock);
            }
        } catch (OverlappingFileLockException held) {
            // Handled like a lock of another process.
        } catch (IOException failure) {
            closeQuietly(lockFile);
            throw failure(partial, failure);
        }
        closeQuietly(lockFile);
        throw new ResourceException(partial
                + " is being written by another run of gpuquant; wait for it, or choose another folder with --out");
    }

    private static void closeQuietly(@Nullable FileChannel channel) {
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException ignored) {
            // The reason for closing is already on its way to the user.
        }
    }

    private static ResourceException failure(Path partial, IOException failure) {
        return new ResourceException(
                partial + " cannot be written (" + failure.getMessage()
                        + "); check permissions and space, or choose another place with --out",
                failure);
    }

    /** The folder as long as it grows. */
    Path partial() {
        return partial;
    }

    /** Empties the growing folder. */
    void clear() {
        try (var files = Files.list(partial)) {
            for (Path file : files.toList()) {
                if (!file.getFileName().toString().equals(LOCK)) {
                    deleteTree(file);
                }
            }
        } catch (IOException failure) {
            throw failure(partial, failure);
        }
    }

    /** Removes the growing folder. */
    void discard() {
        close();
        try {
            deleteTree(partial);
        } catch (IOException ignored) {
            // What went wrong before is on its way to the user; the next run clears the folder.
        }
    }

    /**
     * Gives the complete folder its name; an older one of that name is replaced. What only an unfinished folder needs is
     * removed last, so that a crash at any point leaves either all of it or a complete output.
     */
    void publish() {
        Path target = output.toAbsolutePath().normalize();
        Path old = partial.resolveSibling(target.getFileName() + ".old");
        try {
            if (Files.exists(target)) {
                deleteTree(old);
                Files.move(target, old, StandardCopyOption.ATOMIC_MOVE);
            }
            Files.move(partial, target, StandardCopyOption.ATOMIC_MOVE);
            Files.deleteIfExists(target.resolve(Journal.FILE));
            Files.deleteIfExists(target.resolve(InputRanges.FILE));
            Files.deleteIfExists(target.resolve(LOCK));
            close();
            deleteTree(old);
        } catch (IOException failure) {
            throw new ResourceException(
                    partial + " is complete but cannot be renamed to " + target + " (" + failure.getMessage()
                            + "); rename it by hand",
                    failure);
        }
    }

    private static void deleteTree(Path root) throws IOException {
        if (!Files.exists(root)) {
            return;
        }
        Files.walkFileTree(root, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException failure) throws IOException {
                Files.delete(folder);
                return FileVisitResult.CONTINUE;
            }
        });
    }

    @Override
    public void close() {
        try {
            if (lock.isValid()) {
                lock.release();
            }
            lockFile.close();
        } catch (IOException ignored) {
            // The lock goes with the process at the latest.
        }
    }
}
