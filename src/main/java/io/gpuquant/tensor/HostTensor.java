package io.gpuquant.tensor;

import java.lang.foreign.MemorySegment;

/**
 * A tensor in this process's memory: row-major, little-endian, often a slice of a memory-mapped file.
 *
 * @param data exactly the bytes of the elements; as aligned as the file or buffer it comes from, so read it unaligned
 */
public record HostTensor(String name, DType dtype, Shape shape, MemorySegment data) {

    public HostTensor {
        long expected = dtype.bytes(shape.elementCount());
        if (data.byteSize() != expected) {
            throw new IllegalArgumentException(
                    name + ": " + dtype + shape + " needs " + expected + " bytes, got " + data.byteSize());
        }
    }

    /** Bytes of all elements. */
    public long byteSize() {
        return data.byteSize();
    }
}
