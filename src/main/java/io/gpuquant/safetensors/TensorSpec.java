package io.gpuquant.safetensors;

import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Shape;

/** A tensor that is to be written: everything about it but its place and its bytes. */
public record TensorSpec(String name, DType dtype, Shape shape) {

    /**
     * Bytes of all elements.
     *
     * @throws IllegalArgumentException when they exceed 2^63-1 or do not fill whole bytes
     */
    public long byteSize() {
        try {
            return dtype.bytes(shape.elementCount());
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException(name + ": " + dtype + shape + " has no byte size", e);
        }
    }
}
