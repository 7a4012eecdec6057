package io.gpuquant.file;

import io.gpuquant.ResourceException;
import io.gpuquant.UsageException;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A file that is written at any position, in any order. Bytes are written through the channel and never through a mapping: a
 * full disk is then an error that can be told, not the end of the process.
 */
public final class OutputFile implements Closeable {

    private static final long BYTES_PER_WRITE = 8L << 20;

    private final Path path;
    private final FileChannel channel;
    private final AtomicBoolean unforced = new AtomicBoolean(true);

    /** Writes through a channel that is already open. */
    OutputFile(Path path, FileChannel channel) {
        this.path = path;
        this.channel = channel;
    }

    /**
     * Makes a new file of its final length.
     *
     * @throws UsageException when there is a file of this name
     * @throws ResourceException when it cannot be made
     */
    public static OutputFile create(Path path, long bytes) {
        FileChannel channel;
        try {
            channel = FileChannel.open(
                    path, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE);
        } catch (FileAlreadyExistsException e) {
            throw new UsageException(path + " already exists; remove it or choose another folder with --out", e);
        } catch (IOException e) {
            throw OutputFailure.of(path, e);
        }
        OutputFile file = new OutputFile(path, channel);
        try {
            if (bytes > 0) {
                file.write(MemorySegment.ofArray(new byte[1]), bytes - 1);
            }
            return file;
        } catch (Throwable e) {
            file.close();
            throw e;
        }
    }

    /**
     * Opens a file to go on writing it.
     *
     * @throws io.gpuquant.InputException when there is no such file
     * @throws ResourceException when it cannot be opened for writing
     */
    public static OutputFile reopen(Path path) {
        MappedFile.requireRegular(path);
        try {
            return new OutputFile(path, FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE));
        } catch (IOException e) {
            throw OutputFailure.of(path, e);
        }
    }

    /** The file as it was named. */
    public Path path() {
        return path;
    }

    /** Bytes of the file. */
    public long size() {
        try {
            return channel.size();
        } catch (IOException e) {
            throw MappedFile.unreadable(path, e);
        }
    }

    /**
     * Writes all of {@code bytes}, which may be memory of any kind, at a position of the file.
     *
     * @throws ResourceException when the disk is full or fails
     */
    public void write(MemorySegment bytes, long position) {
        try {
            if (bytes.isNative()) {
                writeNative(bytes, position);
            } else {
                writeHeap(bytes, position);
            }
        } catch (IOException e) {
            throw OutputFailure.of(path, e);
        } finally {
            // Afterwards: set before, a force during the write would clear it and miss the rest of the write.
            unforced.set(true);
        }
    }

    // Only byte arrays can become buffers, and the JDK would copy them to native memory that it keeps for the thread.
    private void writeHeap(MemorySegment bytes, long position) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(Math.min(BYTES_PER_WRITE, bytes.byteSize()));
            for (long done = 0; done < bytes.byteSize(); done += copy.byteSize()) {
                long count = Math.min(copy.byteSize(), bytes.byteSize() - done);
                MemorySegment.copy(bytes, done, copy, 0, count);
                writeNative(copy.asSlice(0, count), position + done);
            }
        }
    }

    private void writeNative(MemorySegment bytes, long position) throws IOException {
        long done = 0;
        while (done < bytes.byteSize()) {
            long count = Math.min(BYTES_PER_WRITE, bytes.byteSize() - done);
            done += channel.write(bytes.asSlice(done, count).asByteBuffer(), position + done);
        }
    }

    /** A read-only view of bytes of the file, valid for as long as it is reachable. */
    public MemorySegment view(long position, long size) {
        try {
            return channel.map(FileChannel.MapMode.READ_ONLY, position, size, Arena.ofAuto());
        } catch (IOException e) {
            throw MappedFile.unreadable(path, e);
        }
    }

    /**
     * Waits until everything written so far is on the disk.
     *
     * @throws ResourceException when the disk fails
     */
    public void force() {
        // Cleared before, so that a write that ends during the call is forced by the next one.
        if (!unforced.getAndSet(false)) {
            return;
        }
        try {
            channel.force(true);
        } catch (IOException e) {
            unforced.set(true);
            throw OutputFailure.of(path, e);
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw OutputFailure.of(path, e);
        }
    }
}
