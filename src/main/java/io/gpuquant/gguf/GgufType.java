package io.gpuquant.gguf;

import java.util.Optional;

/**
 * The type of a metadata value.
 *
 * @see <a href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md">the GGUF specification, {@code gguf_metadata_value_type}</a>
 */
public enum GgufType {
    UINT8(1),
    INT8(1),
    UINT16(2),
    INT16(2),
    UINT32(4),
    INT32(4),
    FLOAT32(4),
    BOOL(1),
    /** A length of 8 bytes, then UTF-8. */
    STRING(8),
    /** A type of 4 bytes and a count of 8, then the elements. */
    ARRAY(12),
    UINT64(8),
    INT64(8),
    FLOAT64(8);

    private final int leastBytes;

    GgufType(int leastBytes) {
        this.leastBytes = leastBytes;
    }

    /** The number that stands for the type in a file. */
    int id() {
        return ordinal();
    }

    /** Bytes that a value of this type takes at least; exactly, unless it is a string or an array. */
    int leastBytes() {
        return leastBytes;
    }

    /** The type with this number. */
    static Optional<GgufType> of(int id) {
        return id >= 0 && id < values().length ? Optional.of(values()[id]) : Optional.empty();
    }
}
