package io.gpuquant.safetensors;

import io.gpuquant.InputException;
import io.gpuquant.file.MappedFile;
import io.gpuquant.file.Quoted;
import io.gpuquant.tensor.HostTensor;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
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

    private final MappedFile file;
    private final MemorySegment data;
    private final SafetensorsHeader header;
    private final Map<String, TensorInfo> byName = new HashMap<>();

    private SafetensorsFile(MappedFile file, SafetensorsHeader header) {
        this.file = file;
        this.header = header;
        this.data = file.bytes().asSlice(header.dataStart());
        header.tensors().forEach(tensor -> byName.put(tensor.name(), tensor));
    }

    /**
     * Maps a file and checks its header.
     *
     * @throws InputException when the file cannot be read, or is not a safetensors file as the format has it
     */
    public static SafetensorsFile open(Path path) {
        MappedFile file = MappedFile.open(path);
        try {
            return new SafetensorsFile(file, SafetensorsHeader.parse(file.bytes(), path));
        } catch (Throwable e) {
            file.close();
            throw e;
        }
    }

    /** The file as it was named to {@link #open}. */
    public Path path() {
        return file.path();
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
            throw new InputException(path() + " has no tensor " + Quoted.text(name)
                    + "; 'gpuquant inspect' lists what a checkpoint holds");
        }
        return new HostTensor(name, info.dtype(), info.shape(), data.asSlice(info.offset(), info.byteSize()));
    }

    /** Unmaps the file; its tensors can no longer be read. */
    @Override
    public void close() {
        file.close();
    }
}
