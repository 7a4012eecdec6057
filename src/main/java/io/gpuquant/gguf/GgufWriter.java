package io.gpuquant.gguf;

import io.gpuquant.InputException;
import io.gpuquant.file.OutputFile;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * Writes the tensors of a GGUF file whose layout is known, in any order and in pieces. Whoever owns the writer gives the file
 * its final name once {@link #finish} has returned.
 */
public final class GgufWriter implements AutoCloseable {

    private final GgufLayout layout;
    private final OutputFile file;
    private final Map<String, Long> written = new HashMap<>();

    private GgufWriter(GgufLayout layout, OutputFile file) {
        this.layout = layout;
        this.file = file;
    }

    /**
     * Makes the file with its header and its final length; padding is zero.
     *
     * @throws io.gpuquant.UsageException when there is a file of this name
     * @throws io.gpuquant.ResourceException when the disk has no room
     */
    public static GgufWriter create(Path path, GgufLayout layout) {
        OutputFile file = OutputFile.create(path, layout.fileBytes());
        try {
            file.write(MemorySegment.ofArray(layout.headerBytes()), 0);
            return new GgufWriter(layout, file);
        } catch (Throwable e) {
            file.close();
            throw e;
        }
    }

    /**
     * Goes on with a file that was made for the same layout.
     *
     * @param done the tensors that are in it already
     * @throws io.gpuquant.InputException when it is not there, or not of that layout
     */
    public static GgufWriter reopen(Path path, GgufLayout layout, Set<String> done) {
        OutputFile file = OutputFile.reopen(path);
        try {
            MemorySegment header = MemorySegment.ofArray(layout.headerBytes());
            if (file.size() != layout.fileBytes()
                    || file.view(0, header.byteSize()).mismatch(header) != -1) {
                throw new InputException(path + " is not the file that was begun; delete it and run again");
            }
            GgufWriter writer = new GgufWriter(layout, file);
            for (GgufTensor tensor : layout.header().tensors()) {
                if (done.contains(tensor.name())) {
                    writer.written.put(tensor.name(), tensor.byteSize());
                }
            }
            return writer;
        } catch (Throwable e) {
            file.close();
            throw e;
        }
    }

    /** Waits until what has been written is on the disk. */
    public void force() {
        file.force();
    }

    /** Writes all of a tensor. */
    public void write(String name, MemorySegment data) {
        GgufTensor tensor = layout.tensor(name);
        if (data.byteSize() != tensor.byteSize()) {
            throw new IllegalArgumentException(name + " has " + tensor.byteSize() + " bytes, not " + data.byteSize());
        }
        write(name, 0, data);
    }

    /** Writes a piece of a tensor; pieces of one tensor must follow each other. */
    public synchronized void write(String name, long offset, MemorySegment data) {
        GgufTensor tensor = layout.tensor(name);
        long before = written.getOrDefault(name, 0L);
        if (offset != before || offset + data.byteSize() > tensor.byteSize()) {
            throw new IllegalArgumentException(name + ": bytes " + offset + " to " + (offset + data.byteSize()) + " of "
                    + tensor.byteSize() + " after " + before);
        }
        file.write(data, layout.position(tensor) + offset);
        written.put(name, offset + data.byteSize());
    }

    /**
     * Waits until the file is on the disk.
     *
     * @throws IllegalStateException when a tensor has not been written
     */
    public void finish() {
        for (GgufTensor tensor : layout.header().tensors()) {
            if (written.getOrDefault(tensor.name(), 0L) != tensor.byteSize()) {
                throw new IllegalStateException(tensor.name() + " has not been written");
            }
        }
        file.force();
    }

    @Override
    public void close() {
        file.close();
    }
}
