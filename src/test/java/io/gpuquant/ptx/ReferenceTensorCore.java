package io.gpuquant.ptx;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;

/**
 * An oracle for the float matrix unit: the description in {@link TensorCoreModel} word by word, in integers of any size.
 * Every finite value is a whole number of units of {@code 2^-SCALE}.
 */
final class ReferenceTensorCore {

    private static final int SCALE = 600;
    private static final int FLOAT_DIGITS = 24;
    private static final int LEAST_EXPONENT = -132;

    private final int groupSize;
    private final int extraBits;

    ReferenceTensorCore(int groupSize, int extraBits) {
        this.groupSize = groupSize;
        this.extraBits = extraBits;
    }

    /** An operand: its value, and the exponent that its bits name, where a subnormal has the least. */
    record Term(float value, int exponent) {

        static Term ofFloat(float value) {
            return new Term(value, Math.max(Math.getExponent(value), -126));
        }

        static Term ofHalf(int bits) {
            float value = Float.float16ToFloat((short) bits);
            return new Term(value, Math.max(Math.getExponent(value), -14));
        }
    }

    /** The float32 bits of an accumulator plus the products of a and b. */
    int multiply(float accumulator, Term[] a, Term[] b) {
        float sum = accumulator;
        for (int first = 0; first < a.length; first += groupSize) {
            sum = group(sum, a, b, first, Math.min(first + groupSize, a.length));
        }
        return Float.isNaN(sum) ? FloatBits.NAN : Float.floatToRawIntBits(sum);
    }

    private float group(float accumulator, Term[] a, Term[] b, int from, int to) {
        float specials = Float.isFinite(accumulator) ? 0 : accumulator;
        boolean special = !Float.isFinite(accumulator);
        int largest = Integer.MIN_VALUE;
        if (accumulator != 0 && Float.isFinite(accumulator)) {
            largest = Term.ofFloat(accumulator).exponent();
        }
        for (int i = from; i < to; i++) {
            if (!Float.isFinite(a[i].value()) || !Float.isFinite(b[i].value())) {
                special = true;
                specials += a[i].value() * b[i].value();
            } else if (a[i].value() != 0 && b[i].value() != 0) {
                largest = Math.max(largest, a[i].exponent() + b[i].exponent());
            }
        }
        if (special) {
            return specials;
        }
        if (largest == Integer.MIN_VALUE) {
            return 0;
        }
        largest = Math.max(largest, LEAST_EXPONENT);
        int lastPlace = largest - (FLOAT_DIGITS - 1) - extraBits;
        BigInteger total = truncate(units(new BigDecimal(accumulator)), lastPlace);
        for (int i = from; i < to; i++) {
            BigDecimal product = new BigDecimal(a[i].value()).multiply(new BigDecimal(b[i].value()));
            total = total.add(truncate(units(product), lastPlace));
        }
        return toFloat(total);
    }

    private static BigInteger units(BigDecimal value) {
        return value.multiply(new BigDecimal(BigInteger.TWO.pow(SCALE))).toBigIntegerExact();
    }

    /** Cuts off what lies below a place, towards zero. */
    private static BigInteger truncate(BigInteger units, int lastPlace) {
        BigInteger place = BigInteger.TWO.pow(SCALE + lastPlace);
        return units.divide(place).multiply(place);
    }

    private static float toFloat(BigInteger units) {
        BigDecimal exact = new BigDecimal(units)
                .divide(new BigDecimal(BigInteger.TWO.pow(SCALE)), SCALE, RoundingMode.UNNECESSARY);
        if (exact.signum() == 0) {
            return 0;
        }
        BigDecimal limit = new BigDecimal(BigInteger.TWO.pow(128));
        if (exact.abs().compareTo(limit) >= 0) {
            return exact.signum() * Float.POSITIVE_INFINITY;
        }
        return (float) DecimalRounding.round(exact, FLOAT_DIGITS - 1, 127, Rounding.TOWARD_ZERO);
    }
}
