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

    /** A fused multiply-add; the float64 sum is rounded to odd first, so that the second rounding cannot go wrong. */
    int fma(int a, int b, int c) {
        double product = (double) value(a) * value(b);
        double addend = value(c);
        double sum = product + addend;
        if (Double.isNaN(sum) || Double.isInfinite(sum)) {
            return round((float) sum);
        }
        double virtual = sum - product;
        double error = product - (sum - virtual) + (addend - virtual);
        return round(toFloatRoundingToOdd(sum, error));
    }

    int minimum(int a, int b) {
        return round(FloatFamily.minimum(value(a), value(b)));
    }

    int maximum(int a, int b) {
        return round(FloatFamily.maximum(value(a), value(b)));
    }

    int absolute(int a) {
        return Float.isNaN(value(a)) ? FloatBits.HALF_NAN : a & 0x7fff;
    }

    /** Narrows an unevaluated sum to float32: truncated, with the last bit set when anything was cut off. */
    private static float toFloatRoundingToOdd(double sum, double error) {
        float nearest = (float) sum;
        double rest = sum - nearest;
        double direction = Math.signum(rest != 0 ? rest : error);
        if (direction == 0) {
            return nearest;
        }
        float truncated = nearest;
        if (nearest > 0 && direction < 0) {
            truncated = Math.nextDown(nearest);
        } else if (nearest < 0 && direction > 0) {
            truncated = Math.nextUp(nearest);
        } else if (nearest == 0) {
            truncated = Math.copySign(0f, (float) direction);
        }
        return Float.intBitsToFloat(Float.floatToRawIntBits(truncated) | 1);
    }
}
