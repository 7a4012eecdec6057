package io.gpuquant.file;

import io.gpuquant.InputException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;

/**
 * A file of any size mapped for reading. Nothing is read from the disk before it is touched, and nothing may be touched after
 * {@link #close}. Usable from several threads.
 *
 * <p>Java code that touches the bytes after closing gets an exception; native code that was given their address is not
 * protected. The file must not shrink while it is open: the operating system then takes pages of the mapping away.
 */
public final class MappedFile implements AutoCloseable {

    private final Path path;
    private final Arena arena;
    private final MemorySegment bytes;

    private MappedFile(Path path, Arena arena, MemorySegment bytes) {
        this.path = path;
        this.arena = arena;
        this.bytes = bytes;
    }

    /**
     * Maps a file.
     *
     * @throws InputException when it is no regular file or cannot be read
     */
    @SuppressWarnings("MustBeClosedChecker") // close() closes the arena
    public static MappedFile open(Path path) {
        requireRegular(path);
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            return new MappedFile(path, arena, channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena));
        } catch (IOException e) {
            arena.close();
            throw unreadable(path, e);
        }
    }

    /** The file as it was named to {@link #open}. */
    public Path path() {
        return path;
    }

    /** All of the file, read-only. */
    public MemorySegment bytes() {
        return bytes;
    }

    /** Unmaps the file; its bytes can no longer be read. */
    @Override
    public void close() {
        arena.close();
    }

    /**
     * Asks before a file is opened: opening a pipe would wait for a writer, and a directory can be opened but not read.
     *
     * @throws InputException when there is no regular file of this name
     */
    public static void requireRegular(Path path) {
        try {
            BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
            if (!attributes.isRegularFile()) {
                throw new InputException(
                        path + " is " + (attributes.isDirectory() ? "a folder" : "no regular file") + "; name a file");
            }
        } catch (NoSuchFileException e) {
            throw new InputException(path + " does not exist; check the path or download the file", e);
        } catch (IOException e) {
            throw unreadable(path, e);
        }
    }

    /** Says that a file cannot be read, and why. */
    public static InputException unreadable(Path path, Exception cause) {
        String reason = cause instanceof AccessDeniedException ? "permission denied" : cause.getMessage();
        return new InputException(path + " cannot be read (" + reason + "); check its permissions and the disk", cause);
    }
}
