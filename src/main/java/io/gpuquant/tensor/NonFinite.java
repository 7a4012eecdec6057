package io.gpuquant.tensor;

import java.lang.foreign.MemorySegment;
import java.util.OptionalLong;
import java.util.stream.LongStream;

/** Finds NaNs and infinities: numbers whose exponent bits are all ones. */
public final class NonFinite {

    /** Bytes that a thread looks through at a time; a multiple of all element sizes. */
    private static final long PIECE = 1 << 22;

    private NonFinite() {}

    /**
     * The index of the first element of a tensor of F32, F16 or BF16 that is a NaN or an infinity, looked for by all threads.
     *
     * @throws IllegalArgumentException for another type
     */
    public static OptionalLong first(MemorySegment data, DType dtype) {
        Lanes lanes = Lanes.of(dtype);
        return LongStream.range(0, Math.ceilDiv(data.byteSize(), PIECE))
                .parallel()
                .map(piece -> first(data, dtype, lanes, piece * PIECE, Math.min(data.byteSize(), (piece + 1) * PIECE)))
                .filter(found -> found >= 0)
                .min();
    }

    /**
     * Elements side by side in 64 bits.
     *
     * @param exponents the bits of all exponents
     * @param lowest the lowest bit of each element
     * @param highest the highest bit of each element
     */
    private record Lanes(long exponents, long lowest, long highest) {

        static Lanes of(DType dtype) {
            return switch (dtype) {
                case F32 -> new Lanes(0x7F80_0000_7F80_0000L, 0x0000_0001_0000_0001L, 0x8000_0000_8000_0000L);
                case F16 -> new Lanes(0x7C00_7C00_7C00_7C00L, 0x0001_0001_0001_0001L, 0x8000_8000_8000_8000L);
                case BF16 -> new Lanes(0x7F80_7F80_7F80_7F80L, 0x0001_0001_0001_0001L, 0x8000_8000_8000_8000L);
                default -> throw new IllegalArgumentException(dtype + " is not a compute type");
            };
        }

        /**
         * Whether one of them has nothing but ones in its exponent. Then it lacks none of the exponent's bits; and the first element
         * that lacks none is the first whose highest bit is set when one is taken away, because a zero borrows.
         */
        boolean holdNonFinite(long elements) {
            long missing = ~elements & exponents;
            return (missing - lowest & ~missing & highest) != 0;
        }
    }

    private static long first(MemorySegment data, DType dtype, Lanes lanes, long from, long to) {
        long at = from;
        while (at + Long.BYTES <= to && !lanes.holdNonFinite(data.get(Elements.LONG, at))) {
            at += Long.BYTES;
        }
        for (long i = at / dtype.bytes(); i < to / dtype.bytes(); i++) {
            if (!Float.isFinite(Elements.floatAt(data, dtype, i))) {
                return i;
            }
        }
        return -1;
    }
}
