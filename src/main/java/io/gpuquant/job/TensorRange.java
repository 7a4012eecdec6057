package io.gpuquant.job;

import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/**
 * What values a tensor has. Numbers that are not finite count as such, and in nothing else.
 *
 * @param min the least of the finite; NaN where none is
 * @param max the greatest of the finite; NaN where none is
 * @param meanMagnitude the mean absolute value of the finite
 * @param zeros how many are zero
 * @param nonFinite how many are infinite or no number
 */
public record TensorRange(double min, double max, double meanMagnitude, long zeros, long nonFinite) {

    private static final int SMALLEST_EXPONENT_E4M3 = -9;
    private static final int SMALLEST_EXPONENT_E5M2 = -16;

    /** Gives an element of a tensor as a number. */
    @FunctionalInterface
    private interface Reader {
        double at(MemorySegment data, long index);
    }

    /**
     * Reads a tensor once, from its first byte to its last; empty for complex numbers, for types narrower than a byte, and for
     * the 8-bit types that hold scales or that only some processors have.
     */
    public static Optional<TensorRange> of(HostTensor tensor) {
        return reader(tensor.dtype()).map(reader -> read(tensor, reader));
    }

    private static TensorRange read(HostTensor tensor, Reader reader) {
        double min = Double.POSITIVE_INFINITY;
        double max = Double.NEGATIVE_INFINITY;
        double sum = 0;
        long zeros = 0;
        long nonFinite = 0;
        long count = tensor.shape().elementCount();
        for (long i = 0; i < count; i++) {
            double value = reader.at(tensor.data(), i);
            if (!Double.isFinite(value)) {
                nonFinite++;
                continue;
            }
            min = Math.min(min, value);
            max = Math.max(max, value);
            sum += Math.abs(value);
            zeros += value == 0 ? 1 : 0;
        }
        long finite = count - nonFinite;
        return finite == 0
                ? new TensorRange(Double.NaN, Double.NaN, Double.NaN, 0, nonFinite)
                : new TensorRange(min, max, sum / finite, zeros, nonFinite);
    }

    private static Optional<Reader> reader(DType dtype) {
        return Optional.ofNullable(
                switch (dtype) {
                    case F32, F16, BF16 -> (data, i) -> Elements.floatAt(data, dtype, i);
                    case F64 -> (data, i) -> Double.longBitsToDouble(data.get(Elements.LONG, i * Long.BYTES));
                    case F8_E4M3 -> (data, i) -> e4m3(data.get(ValueLayout.JAVA_BYTE, i));
                    case F8_E5M2 -> (data, i) -> e5m2(data.get(ValueLayout.JAVA_BYTE, i));
                    case BOOL, U8 -> (data, i) -> Byte.toUnsignedInt(data.get(ValueLayout.JAVA_BYTE, i));
                    case I8 -> (data, i) -> data.get(ValueLayout.JAVA_BYTE, i);
                    case U16 -> (data, i) -> Short.toUnsignedInt(data.get(Elements.SHORT, i * Short.BYTES));
                    case I16 -> (data, i) -> data.get(Elements.SHORT, i * Short.BYTES);
                    case U32 -> (data, i) -> Integer.toUnsignedLong(data.get(Elements.INT, i * Integer.BYTES));
                    case I32 -> (data, i) -> data.get(Elements.INT, i * Integer.BYTES);
                    case I64 -> (data, i) -> data.get(Elements.LONG, i * Long.BYTES);
                    case U64 -> (data, i) -> unsigned(data.get(Elements.LONG, i * Long.BYTES));
                    case C64, F4, F6_E2M3, F6_E3M2, F8_E8M0, F8_E4M3FNUZ, F8_E5M2FNUZ -> null;
                });
    }

    private static double unsigned(long value) {
        return value >= 0 ? value : (value >>> 1) * 2.0 + (value & 1);
    }

    /** OCP 8-bit floating point, E4M3: no infinities, and NaN where all bits but the sign are set. */
    private static double e4m3(byte bits) {
        if ((bits & 0x7f) == 0x7f) {
            return Double.NaN;
        }
        int exponent = bits >> 3 & 0xf;
        int mantissa = bits & 7;
        return signed(bits, exponent, exponent == 0 ? mantissa : 8 + mantissa, SMALLEST_EXPONENT_E4M3);
    }

    /** OCP 8-bit floating point, E5M2: as IEEE 754 would have it. */
    private static double e5m2(byte bits) {
        int exponent = bits >> 2 & 0x1f;
        int mantissa = bits & 3;
        if (exponent == 0x1f) {
            return mantissa == 0 ? Double.POSITIVE_INFINITY : Double.NaN;
        }
        return signed(bits, exponent, exponent == 0 ? mantissa : 4 + mantissa, SMALLEST_EXPONENT_E5M2);
    }

    private static double signed(byte bits, int exponent, int significand, int smallestExponent) {
        double magnitude = Math.scalb((double) significand, smallestExponent + Math.max(0, exponent - 1));
        return bits < 0 ? -magnitude : magnitude;
    }
}
