package io.gpuquant.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Reads and writes single elements of little-endian tensor bytes as floats. */
public final class Elements {

    /** Little-endian 16-bit layout without an alignment demand. */
    public static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Little-endian 32-bit layout without an alignment demand. */
    public static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Little-endian float32 layout without an alignment demand. */
    public static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Little-endian 64-bit layout without an alignment demand. */
    public static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Elements() {}

    /**
     * Element {@code index} of a tensor of F32, F16 or BF16.
     *
     * @throws IllegalArgumentException for another type
     */
    public static float floatAt(MemorySegment data, DType dtype, long index) {
        return switch (dtype) {
            case F32 -> data.get(FLOAT, index * 4);
            case F16 -> Float.float16ToFloat(data.get(SHORT, index * 2));
            case BF16 -> BFloat16.toFloat(data.get(SHORT, index * 2));
            default -> throw new IllegalArgumentException(dtype + " is not a compute type");
        };
    }

    /**
     * Stores {@code value}, rounded to nearest even, as element {@code index} of a tensor of F32, F16 or BF16.
     *
     * @throws IllegalArgumentException for another type
     */
    public static void setFloat(MemorySegment data, DType dtype, long index, float value) {
        switch (dtype) {
            case F32 -> data.set(FLOAT, index * 4, value);
            case F16 -> data.set(SHORT, index * 2, Float.floatToFloat16(value));
            case BF16 -> data.set(SHORT, index * 2, BFloat16.fromFloat(value));
            default -> throw new IllegalArgumentException(dtype + " is not a compute type");
        }
    }

    /**
     * All elements of a tensor of F32, F16 or BF16.
     *
     * @throws IllegalArgumentException for another type or more than 2^31-1 elements
     */
    public static float[] toFloats(HostTensor tensor) {
        long count = tensor.shape().elementCount();
        if (count > Integer.MAX_VALUE) {
            throw new IllegalArgumentException(tensor.name() + " has too many elements for an array: " + count);
        }
        float[] values = new float[(int) count];
        for (int i = 0; i < values.length; i++) {
            values[i] = floatAt(tensor.data(), tensor.dtype(), i);
        }
        return values;
    }
}
