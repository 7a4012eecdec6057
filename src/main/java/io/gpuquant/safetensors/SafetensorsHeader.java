package io.gpuquant.safetensors;

import io.gpuquant.InputException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The header of a safetensors file, checked against the file: eight bytes with the header's length, a JSON object of that
 * length, and a data section that the tensors fill without overlap, hole or remainder.
 *
 * <p>What is accepted is what the reference implementation (safetensors 0.8) accepts, with these exceptions, all refused
 * here: unknown keys beside dtype, shape and data_offsets; one tensor name or metadata key twice; {@code __metadata__}
 * that is null; an entry written as an array; more than 64 dimensions or a million tensors. And one that is accepted here
 * whatever its place: an extent of zero makes a tensor empty, however large the others are.
 *
 * @see <a href="https://github.com/huggingface/safetensors#format">the format</a>
 */
public final class SafetensorsHeader {

    /** A header may have at most this many bytes, its length field not counted; the reference implementation's limit. */
    public static final long MAX_BYTES = 100_000_000;

    /** Bytes of the length field in front of the JSON. */
    static final int LENGTH_BYTES = 8;

    private final Map<String, String> metadata;
    private final List<TensorInfo> tensors;
    private final long dataStart;

    SafetensorsHeader(Map<String, String> metadata, List<TensorInfo> tensors, long dataStart) {
        this.metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
        this.tensors = List.copyOf(tensors);
        this.dataStart = dataStart;
    }

    /**
     * Reads and checks the header of a file.
     *
     * @throws InputException when the file cannot be read, or is not a safetensors file as the format has it
     */
    public static SafetensorsHeader read(Path path) {
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            return file.header();
        }
    }

    /**
     * Reads and checks a header.
     *
     * @param file all bytes of the file
     * @param path what messages call the file
     * @throws InputException when the bytes are not a safetensors file as the format has it
     */
    public static SafetensorsHeader parse(MemorySegment file, Path path) {
        return new HeaderParser(file, path).parse();
    }

    /** The texts under {@code __metadata__} in the order of the file; empty when there are none. */
    public Map<String, String> metadata() {
        return metadata;
    }

    /** The tensors in the order of their offsets; tensors of no bytes at the same place in the order of the header. */
    public List<TensorInfo> tensors() {
        return tensors;
    }

    /** The first byte of the data section, counted from the start of the file. */
    public long dataStart() {
        return dataStart;
    }
}
