package io.gpuquant.safetensors;

import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Shape;

/**
 * Where one tensor lies in a safetensors file.
 *
 * @param offset bytes from the start of the data section of its file; not necessarily a multiple of the element size
 * @param byteSize bytes of all elements
 */
public record TensorInfo(String name, DType dtype, Shape shape, long offset, long byteSize) {

    public TensorInfo {
        long expected = new TensorSpec(name, dtype, shape).byteSize();
        if (byteSize != expected) {
            throw new IllegalArgumentException(
                    name + ": " + dtype + shape + " has " + expected + " bytes, not " + byteSize);
        }
        if (offset < 0 || offset > Long.MAX_VALUE - byteSize) {
            throw new IllegalArgumentException(name + ": offset " + offset + " with " + byteSize + " bytes");
        }
    }

    /** The first byte after the tensor, counted from the start of the data section. */
    public long end() {
        return offset + byteSize;
    }
}
