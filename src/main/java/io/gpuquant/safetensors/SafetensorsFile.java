package io.gpuquant.safetensors;

import io.gpuquant.InputException;
import io.gpuquant.tensor.HostTensor;
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
import java.util.HashMap;
import java.util.Map;

/**
 * A memory-mapped safetensors file of any size. Tensors are slices of the mapping: nothing is read from the disk before it
 * is touched, and nothing may be touched after {@link #close}. Usable from several threads.
 *
 * <p>Java code that touches a tensor after closing gets an exception; native code that was given its address is not
 * protected. The file must not shrink while it is open: the operating system then takes pages of the mapping away.
 */
public final class SafetensorsFile implements AutoCloseable {

    private final Path path;
    private final Arena arena;
    private final MemorySegment data;
    private final SafetensorsHeader header;
    private final Map<String, TensorInfo> byName = new HashMap<>();

    private SafetensorsFile(Path path, Arena arena, MemorySegment bytes, SafetensorsHeader header) {
        this.path = path;
        this.arena = arena;
        this.header = header;
        this.data = bytes.asSlice(header.dataStart());
        header.tensors().forEach(tensor -> byName.put(tensor.name(), tensor));
    }

    /**
     * Maps a file and checks its header.
     *
     * @throws InputException when the file cannot be read, or is not a safetensors file as the format has it
     */
    @SuppressWarnings("MustBeClosedChecker") // close() closes the arena
    public static SafetensorsFile open(Path path) {
        requireRegularFile(path);
        Arena arena = Arena.ofShared();
        try {
            MemorySegment bytes = map(path, arena);
            return new SafetensorsFile(path, arena, bytes, SafetensorsHeader.parse(bytes, path));
        } catch (Throwable e) {
            arena.close();
            throw e;
        }
    }

    /** The file as it was named to {@link #open}. */
    public Path path() {
        return path;
    }

    /** The checked header. */
    public SafetensorsHeader header() {
        return header;
    }

    /** Whether the file has a tensor of this name. */
    public boolean contains(String name) {
        return byName.containsKey(name);
    }

    /**
     * The tensor of this name: a read-only slice of the mapping, as aligned as the file has it.
     *
     * @throws InputException when the file has no such tensor
     */
    public HostTensor tensor(String name) {
        TensorInfo info = byName.get(name);
        if (info == null) {
            throw new InputException(path + " has no tensor " + Quoted.text(name)
                    + "; 'gpuquant inspect' lists what a checkpoint holds");
        }
        return new HostTensor(name, info.dtype(), info.shape(), data.asSlice(info.offset(), info.byteSize()));
    }

    /** Unmaps the file; its tensors can no longer be read. */
    @Override
    public void close() {
        arena.close();
    }

    /** Opening a pipe would wait for a writer, and a directory can be opened but not read: so ask before opening. */
    static void requireRegularFile(Path path) {
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

    static InputException unreadable(Path path, Exception cause) {
        String reason = cause instanceof AccessDeniedException ? "permission denied" : cause.getMessage();
        return new InputException(path + " cannot be read (" + reason + "); check its permissions and the disk", cause);
    }

    private static MemorySegment map(Path path, Arena arena) {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
        } catch (IOException e) {
            throw unreadable(path, e);
        }
    }
}
