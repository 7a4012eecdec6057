package io.gpuquant.ptx;

import io.gpuquant.tensor.BFloat16;

/** Arithmetic of the two 16-bit float formats on the low 16 bits of a word, rounded to nearest even. */
enum HalfArithmetic {
    F16 {
        @Override
        float value(int bits) {
            return Float.float16ToFloat((short) bits);
        }

        @Override
        int round(float value) {
            return Float.isNaN(value) ? FloatBits.HALF_NAN : Float.floatToFloat16(value) & SHORT;
        }
    },
    BF16 {
        @Override
        float value(int bits) {
            return BFloat16.toFloat((short) bits);
        }

        @Override
        int round(float value) {
            return BFloat16.fromFloat(value) & SHORT;
        }
    };

    private static final int SHORT = 0xffff;

    abstract float value(int bits);

    abstract int round(float value);

    // float32 has more than twice the digits of either format plus two, so rounding its sums and products again is
    // exact.

    int add(int a, int b) {
        return round(value(a) + value(b));
    }

    int subtract(int a, int b) {
        return round(value(a) - value(b));
    }

    int multiply(int a, int b) {
        return round(value(a) * value(b));
    }

    /** A fused multiply-add; the exact sum is rounded to odd first, so that the second rounding cannot go wrong. */
    int fma(int a, int b, int c) {
        ExactSum sum = ExactSum.of((double) value(a) * value(b), value(c));
        return round(Double.isFinite(sum.high()) ? sum.toOddFloat() : (float) sum.high());
    }

    int minimum(int a, int b) {
        return round(FloatFamily.minimum(value(a), value(b)));
    }

    int maximum(int a, int b) {
        return round(FloatFamily.maximum(value(a), value(b)));
    }

    /** The minimum, or NaN if either is. */
    int minimumOrNan(int a, int b) {
        return round(Math.min(value(a), value(b)));
    }

    int maximumOrNan(int a, int b) {
        return round(Math.max(value(a), value(b)));
    }

    int absolute(int a) {
        return Float.isNaN(value(a)) ? FloatBits.HALF_NAN : a & 0x7fff;
    }

    int negate(int a) {
        return Float.isNaN(value(a)) ? FloatBits.HALF_NAN : a ^ 0x8000;
    }

    /** {@code .sat}: clamps to [0, 1]; NaN becomes zero. */
    int saturate(int a) {
        float value = value(a);
        return value > 0 ? round(Math.min(value, 1)) : 0;
    }

    /** {@code .relu}: clamps to zero from below; NaN stays. */
    int rectify(int a) {
        return value(a) < 0 || a == 0x8000 ? 0 : a;
    }
}
