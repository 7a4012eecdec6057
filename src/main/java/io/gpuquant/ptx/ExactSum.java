package io.gpuquant.ptx;

/**
 * A sum of two float64 numbers without error: {@code high} is the rounded sum and {@code error} what it lacks, after
 * Knuth's TwoSum. The products of float32 or 16-bit floats are exact in float64, so that this holds any fused multiply-add
 * of them, to be rounded once.
 */
record ExactSum(double high, double error) {

    static ExactSum of(double a, double b) {
        double high = a + b;
        double virtual = high - a;
        return new ExactSum(high, a - (high - virtual) + (b - virtual));
    }

    /** {@code a * b + c} in float32, rounded once in a direction. */
    static float fma(float a, float b, float c, Rounding rounding) {
        double product = (double) a * b;
        ExactSum sum = of(product, c);
        if (!Double.isFinite(sum.high)) {
            return (float) sum.high;
        }
        if (sum.high == 0) {
            // A sum of opposite terms is +0, but -0 when rounding down; of zeros of one sign, that zero.
            boolean opposite = product != 0 || Math.copySign(1, product) != Math.copySign(1, c);
            return opposite ? rounding == Rounding.DOWN ? -0f : 0f : (float) sum.high;
        }
        return sum.toFloat(rounding);
    }

    /** The neighbouring float32 in a direction, of a value that is not zero. */
    float toFloat(Rounding rounding) {
        float nearest = (float) high;
        int above = above(nearest);
        if (rounding == Rounding.NEAREST_EVEN || rounding == Rounding.NEAREST_AWAY || above == 0) {
            return nearest;
        }
        boolean up = rounding == Rounding.UP || rounding == Rounding.TOWARD_ZERO && high < 0;
        if (up) {
            return above > 0 ? Math.nextUp(nearest) : nearest;
        }
        return above < 0 ? Math.nextDown(nearest) : nearest;
    }

    /**
     * Rounded to odd: truncated, with the last bit set when anything was cut off. Rounding that again, to a format with at
     * least two digits less, gives what rounding once would have.
     */
    float toOddFloat() {
        float nearest = (float) high;
        if (above(nearest) == 0) {
            return nearest;
        }
        return Float.intBitsToFloat(Float.floatToRawIntBits(toFloat(Rounding.TOWARD_ZERO)) | 1);
    }

    /** The sign of this value minus a float32 near it. */
    private int above(float value) {
        double rest = high - value;
        return (int) Math.signum(rest != 0 ? rest : error);
    }
}
