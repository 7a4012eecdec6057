package io.gpuquant.ptx;

/** Floats as the bits that registers hold. */
final class FloatBits {

    /** The NaN that NVIDIA GPUs produce from float32 operations. */
    static final int NAN = 0x7fffffff;

    /** The NaN of 16-bit float operations. */
    static final int HALF_NAN = 0x7fff;

    /** The NaN of float64 operations; no specification names it, and CUDA's headers use this one. */
    static final long DOUBLE_NAN = 0xfff8000000000000L;

    private static final int SIGN = 0x80000000;
    private static final int EXPONENT = 0x7f800000;

    private FloatBits() {}

    static float value(int bits) {
        return Float.intBitsToFloat(bits);
    }

    /** The bits of a result, a NaN with whatever payload the processor gave it. */
    static int of(float value) {
        return Float.floatToRawIntBits(value);
    }

    /** Any NaN as the one that a GPU produces. Without a branch, because this is part of loops that must vectorize. */
    static int canonical(int bits) {
        int isNan = EXPONENT - (bits & ~SIGN) >> Integer.SIZE - 1;
        return bits & ~isNan | isNan >>> 1;
    }

    static double value(long bits) {
        return Double.longBitsToDouble(bits);
    }

    static long of(double value) {
        return Double.isNaN(value) ? DOUBLE_NAN : Double.doubleToRawLongBits(value);
    }

    /** {@code .ftz}: a subnormal becomes a zero of its sign. */
    static int flush(int bits) {
        return (bits & EXPONENT) == 0 ? bits & SIGN : bits;
    }

    /** {@code .sat}: clamps to [0, 1]; NaN becomes zero. */
    static int saturate(int bits) {
        float value = value(bits);
        return value > 0 ? Float.floatToRawIntBits(Math.min(value, 1f)) : 0;
    }
}
