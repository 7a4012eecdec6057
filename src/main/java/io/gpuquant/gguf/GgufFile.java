package io.gpuquant.gguf;

import io.gpuquant.InputException;
import io.gpuquant.file.MappedFile;
import io.gpuquant.file.Quoted;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** A memory-mapped GGUF file of any size; tensors are slices of the mapping. */
public final class GgufFile implements AutoCloseable {

    private final MappedFile file;
    private final GgufHeader header;
    private final Map<String, GgufTensor> byName = new HashMap<>();

    private GgufFile(MappedFile file, GgufHeader header) {
        this.file = file;
        this.header = header;
        header.tensors().forEach(tensor -> byName.put(tensor.name(), tensor));
    }

    /**
     * Maps a file and checks its header.
     *
     * @throws InputException when the file cannot be read, or is not a GGUF file as the format has it
     */
    public static GgufFile open(Path path) {
        MappedFile file = MappedFile.open(path);
        try {
            return new GgufFile(file, GgufHeader.parse(file.bytes(), path));
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
    public GgufHeader header() {
        return header;
    }

    /** What is known of a tensor, if the file has it. */
    public Optional<GgufTensor> find(String name) {
        return Optional.ofNullable(byName.get(name));
    }

    /** The bytes of a tensor of this file, read-only and aligned as the file has them. */
    public MemorySegment data(GgufTensor tensor) {
        return file.bytes().asSlice(header.dataStart() + tensor.offset(), tensor.byteSize());
    }

    /**
     * The text of a metadata entry, if there is one.
     *
     * @throws InputException when it has another type
     */
    public Optional<String> text(String key) {
        return entry(key, GgufValue.Text.class).map(GgufValue.Text::value);
    }

    /**
     * The whole number of a metadata entry, if there is one.
     *
     * @throws InputException when it has another type
     */
    public Optional<Long> whole(String key) {
        return entry(key, GgufValue.Whole.class).map(GgufValue.Whole::value);
    }

    /**
     * The real number of a metadata entry, if there is one.
     *
     * @throws InputException when it has another type
     */
    public Optional<Double> real(String key) {
        return entry(key, GgufValue.Real.class).map(GgufValue.Real::value);
    }

    /**
     * The truth value of a metadata entry, if there is one.
     *
     * @throws InputException when it has another type
     */
    public Optional<Boolean> flag(String key) {
        return entry(key, GgufValue.Flag.class).map(GgufValue.Flag::value);
    }

    /**
     * The array of a metadata entry, if there is one.
     *
     * @throws InputException when it has another type
     */
    public Optional<GgufValue.Array> array(String key) {
        return entry(key, GgufValue.Array.class);
    }

    private <T extends GgufValue> Optional<T> entry(String key, Class<T> wanted) {
        GgufValue value = header.metadata().get(key);
        if (value == null) {
            return Optional.empty();
        }
        if (!wanted.isInstance(value)) {
            throw new InputException(path() + ": the metadata entry " + Quoted.text(key) + " is of type " + value.type()
                    + ", which is not what this key has; get the file again");
        }
        return Optional.of(wanted.cast(value));
    }

    /** Unmaps the file; its tensors can no longer be read. */
    @Override
    public void close() {
        file.close();
    }
}
