package io.gpuquant.safetensors;

import io.gpuquant.InputException;
import io.gpuquant.ResourceException;
import io.gpuquant.UsageException;
import io.gpuquant.file.DurableFile;
import io.gpuquant.file.OutputFailure;
import io.gpuquant.file.OutputFile;
import io.gpuquant.file.Quoted;
import io.gpuquant.tensor.HostTensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Writes a checkpoint whose layout is fixed. All files have their headers and final length from the start, so tensors may
 * come at any time, in any order and in pieces, and a run that was killed goes on in the same files.
 *
 * <p>The index is written last: a folder of several shards without an index is an unfinished one. Closing does not finish.
 * Usable from several threads, as long as no two write the same bytes. Interrupting a thread that writes closes its file.
 */
public final class CheckpointWriter implements AutoCloseable {

    private static final int MISSING_SHOWN = 3;

    private final Path directory;
    private final CheckpointLayout layout;
    private final Map<ShardLayout, OutputFile> files = new HashMap<>();
    private final Map<String, WrittenRanges> written = new HashMap<>();

    private CheckpointWriter(Path directory, CheckpointLayout layout) {
        this.directory = directory;
        this.layout = layout;
    }

    /**
     * Begins a checkpoint: makes the folder where it is missing, and all files with headers and final length. The files are
     * sparse, so their length says nothing about free space.
     *
     * @throws UsageException when one of the files is already there
     * @throws ResourceException when a file cannot be written
     */
    public static CheckpointWriter create(Path directory, CheckpointLayout layout) {
        try {
            Files.createDirectories(directory);
        } catch (IOException e) {
            throw OutputFailure.of(directory, e);
        }
        return opened(directory, layout, ShardFile::create).begun();
    }

    /**
     * Goes on with a checkpoint that {@link #create} began with an equal layout. No tensor counts as written until it is
     * written again or told with {@link #markWritten}.
     *
     * @throws InputException when a file is missing or has another length or header
     * @throws ResourceException when a file cannot be written to
     */
    public static CheckpointWriter reopen(Path directory, CheckpointLayout layout) {
        return opened(directory, layout, ShardFile::reopen);
    }

    /** The folder that is written to. */
    public Path directory() {
        return directory;
    }

    /** The plan that is followed. */
    public CheckpointLayout layout() {
        return layout;
    }

    /**
     * Writes a whole tensor.
     *
     * @throws IllegalArgumentException when the layout has no such tensor or it has another number of bytes
     * @throws ResourceException when the disk is full or the file cannot be written
     */
    public void write(String name, MemorySegment data) {
        long expected = layout.info(name).byteSize();
        if (data.byteSize() != expected) {
            throw new IllegalArgumentException(
                    Quoted.text(name) + " has " + expected + " bytes, not " + data.byteSize());
        }
        write(name, 0, data);
    }

    /**
     * Writes a piece of a tensor.
     *
     * @param offsetInTensor the first byte to be written, counted from the start of the tensor
     * @throws IllegalArgumentException when the layout has no such tensor
     * @throws IndexOutOfBoundsException when the piece is not inside the tensor
     * @throws ResourceException when the disk is full or the file cannot be written
     */
    public void write(String name, long offsetInTensor, MemorySegment piece) {
        TensorInfo info = layout.info(name);
        Objects.checkFromIndexSize(offsetInTensor, piece.byteSize(), info.byteSize());
        ShardLayout shard = layout.shardOf(name);
        fileOf(shard).write(piece, shard.dataStart() + info.offset() + offsetInTensor);
        note(name, offsetInTensor, offsetInTensor + piece.byteSize());
    }

    /**
     * Counts a tensor as written that an earlier run wrote and forced.
     *
     * @throws IllegalArgumentException when the layout has no such tensor
     */
    public void markWritten(String name) {
        note(name, 0, layout.info(name).byteSize());
    }

    /**
     * Whether every byte of the tensor counts as written.
     *
     * @throws IllegalArgumentException when the layout has no such tensor
     */
    public boolean isWritten(String name) {
        long size = layout.info(name).byteSize();
        synchronized (written) {
            WrittenRanges ranges = written.get(name);
            return size == 0 || (ranges != null && ranges.cover(size));
        }
    }

    /**
     * The tensor as the file has it now; bytes not yet written are zero. It stays readable after {@link #close}, and shows
     * what is written later.
     *
     * @throws IllegalArgumentException when the layout has no such tensor
     */
    public HostTensor read(String name) {
        TensorInfo info = layout.info(name);
        ShardLayout shard = layout.shardOf(name);
        MemorySegment data = fileOf(shard).view(shard.dataStart() + info.offset(), info.byteSize());
        return new HostTensor(name, info.dtype(), info.shape(), data);
    }

    /**
     * Waits until everything written so far is on the disk.
     *
     * @throws ResourceException when the disk is full or fails
     */
    public void force() {
        layout.shards().forEach(shard -> fileOf(shard).force());
    }

    /**
     * Completes the checkpoint: forces all files, then writes the index, if there is one, in one step.
     *
     * @throws IllegalStateException when a tensor has not been written
     * @throws ResourceException when the disk is full or a file cannot be written
     */
    public void finish() {
        requireComplete();
        force();
        layout.indexText().ifPresent(text -> {
            Path index = directory.resolve(ShardIndex.FILE_NAME);
            DurableFile.replace(index, text.getBytes(StandardCharsets.UTF_8));
        });
        DurableFile.forceDirectory(directory);
    }

    /** Closes the files without finishing. */
    @Override
    public void close() {
        files.values().forEach(OutputFile::close);
    }

    @FunctionalInterface
    private interface Opening {
        OutputFile open(Path path, ShardLayout layout);
    }

    private static CheckpointWriter opened(Path directory, CheckpointLayout layout, Opening opening) {
        CheckpointWriter writer = new CheckpointWriter(directory, layout);
        try {
            for (ShardLayout shard : layout.shards()) {
                writer.files.put(shard, opening.open(directory.resolve(shard.fileName()), shard));
            }
            return writer;
        } catch (Throwable e) {
            writer.close();
            throw e;
        }
    }

    private CheckpointWriter begun() {
        try {
            force();
            DurableFile.forceDirectory(directory);
            return this;
        } catch (Throwable e) {
            close();
            throw e;
        }
    }

    private OutputFile fileOf(ShardLayout shard) {
        return Objects.requireNonNull(files.get(shard));
    }

    private void note(String name, long begin, long end) {
        synchronized (written) {
            written.computeIfAbsent(name, key -> new WrittenRanges()).add(begin, end);
        }
    }

    private void requireComplete() {
        List<String> missing = new ArrayList<>();
        for (TensorInfo tensor : layout.tensors()) {
            if (!isWritten(tensor.name())) {
                missing.add(tensor.name());
            }
        }
        if (!missing.isEmpty()) {
            String shown = String.join(", ", missing.subList(0, Math.min(MISSING_SHOWN, missing.size())));
            throw new IllegalStateException(
                    missing.size() + " tensor(s) of " + directory + " were not written: " + shown);
        }
    }
}
