package io.gpuquant.kernels.selftest;

import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Something that a case computes.
 *
 * @param name what it is, for messages
 * @param tolerance how far a device may be from the reference; that of the expected output counts
 */
record Output(String name, DType dtype, MemorySegment data, Tolerance tolerance) {

    /** Numbers that came back to the host. */
    static Output of(String name, long... values) {
        return new Output(name, DType.I64, MemorySegment.ofArray(values), Tolerance.NONE);
    }

    /** Numbers that came back to the host. */
    static Output of(String name, double... values) {
        return new Output(name, DType.F64, MemorySegment.ofArray(values), Tolerance.NONE);
    }

    /** The same output, which need not be equal in every bit. */
    Output within(Tolerance newTolerance) {
        return new Output(name, dtype, data, newTolerance);
    }

    int count() {
        return (int) (data.byteSize() / dtype.bytes());
    }

    /** An element as a number. */
    double value(int index) {
        return switch (dtype) {
            case U8 -> bits(index);
            case I32 -> (int) bits(index);
            case I64 -> bits(index);
            case F64 -> Double.longBitsToDouble(bits(index));
            default -> Elements.floatAt(data, dtype, index);
        };
    }

    /** An element's bits. */
    long bits(int index) {
        return switch (dtype.bytes()) {
            case 1 -> data.get(ValueLayout.JAVA_BYTE, index) & 0xffL;
            case 2 -> data.get(Elements.SHORT, index * 2L) & 0xffffL;
            case 4 -> data.get(Elements.INT, index * 4L) & 0xffff_ffffL;
            default -> data.get(Elements.LONG, index * 8L);
        };
    }
}
