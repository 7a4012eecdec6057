package io.gpuquant.safetensors;

import io.gpuquant.InputException;
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
 * One output file, as long as it will ever be. Bytes are written through the channel and never through a mapping: a full
 * disk is then an error that can be told, not the end of the process.
 */
final class ShardFile implements Closeable {

    private static final long BYTES_PER_WRITE = 8L << 20;

    private final Path path;
    private final FileChannel channel;
    private final AtomicBoolean unforced = new AtomicBoolean(true);

    ShardFile(Path path, FileChannel channel) {
        this.path = path;
        this.channel = channel;
    }

    /** Makes the file with its header and final length. */
    static ShardFile create(Path path, ShardLayout layout) {
        FileChannel channel;
        try {
            channel = FileChannel.open(
                    path, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE);
        } catch (FileAlreadyExistsException e) {
            throw new UsageException(path + " already exists; remove it or choose another folder with --out", e);
        } catch (IOException e) {
            throw OutputFailure.of(path, e);
        }
        ShardFile file = new ShardFile(path, channel);
        try {
            if (layout.dataBytes() > 0) {
                file.write(MemorySegment.ofArray(new byte[1]), layout.fileBytes() - 1);
            }
            file.write(MemorySegment.ofArray(layout.header()), 0);
            return file;
        } catch (Throwable e) {
            file.close();
            throw e;
        }
    }

    /** Opens a file that {@link #create} made and checks that it is of this layout. */
    static ShardFile reopen(Path path, ShardLayout layout) {
        SafetensorsFile.requireRegularFile(path);
        FileChannel channel;
        try {
            channel = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw OutputFailure.of(path, e);
        }
        ShardFile file = new ShardFile(path, channel);
        try {
            file.requireLayout(layout);
            return file;
        } catch (Throwable e) {
            file.close();
            throw e;
        }
    }

    Path path() {
        return path;
    }

    /** Writes all of {@code bytes}, which may be memory of any kind, at a position of the file. */
    void write(MemorySegment bytes, long position) {
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
    MemorySegment view(long position, long size) {
        try {
            return channel.map(FileChannel.MapMode.READ_ONLY, position, size, Arena.ofAuto());
        } catch (IOException e) {
            throw SafetensorsFile.unreadable(path, e);
        }
    }

    /** Waits until everything written so far is on the disk. */
    void force() {
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

    private void requireLayout(ShardLayout layout) {
        boolean same;
        try {
            same = channel.size() == layout.fileBytes()
                    && view(0, layout.dataStart()).mismatch(MemorySegment.ofArray(layout.header())) < 0;
        } catch (IOException e) {
            throw SafetensorsFile.unreadable(path, e);
        }
        if (!same) {
            throw new InputException(path + " is not the file that this run would have begun;"
                    + " remove the unfinished output, or finish it with the options and version it was begun with");
        }
    }
}
