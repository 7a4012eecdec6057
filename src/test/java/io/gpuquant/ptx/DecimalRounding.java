package io.gpuquant.ptx;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;

/** An oracle for rounding: decimal arithmetic, and a search among the values that a format has. */
final class DecimalRounding {

    private static final BigDecimal TWO = BigDecimal.valueOf(2);

    private DecimalRounding() {}

    /**
     * A finite value rounded into a format with this many bits of fraction and this largest exponent, as a number.
     *
     * @return infinite where it overflows
     */
    static double round(BigDecimal value, int fractionBits, int maxExponent, Rounding rounding) {
        if (value.signum() == 0) {
            return 0;
        }
        int binade = Math.max(exponentOf(value.abs()), 1 - maxExponent);
        BigDecimal step = power(binade - fractionBits);
        BigDecimal steps = value.divide(step, MathContext.UNLIMITED);
        BigDecimal whole = steps.setScale(0, mode(rounding));
        BigDecimal result = whole.multiply(step);
        BigDecimal tooLarge = power(maxExponent + 1);
        if (result.abs().compareTo(tooLarge) >= 0) {
            boolean negative = value.signum() < 0;
            boolean toInfinity = rounding == Rounding.NEAREST_EVEN
                    || rounding == Rounding.NEAREST_AWAY
                    || rounding == (negative ? Rounding.DOWN : Rounding.UP);
            double largest =
                    tooLarge.subtract(power(maxExponent - fractionBits)).doubleValue();
            double magnitude = toInfinity ? Double.POSITIVE_INFINITY : largest;
            return negative ? -magnitude : magnitude;
        }
        double exact = result.doubleValue();
        return exact == 0 && value.signum() < 0 ? -0.0 : exact;
    }

    private static RoundingMode mode(Rounding rounding) {
        return switch (rounding) {
            case NEAREST_EVEN -> RoundingMode.HALF_EVEN;
            case NEAREST_AWAY -> RoundingMode.HALF_UP;
            case TOWARD_ZERO -> RoundingMode.DOWN;
            case DOWN -> RoundingMode.FLOOR;
            case UP -> RoundingMode.CEILING;
        };
    }

    static BigDecimal power(int exponent) {
        BigDecimal power = TWO.pow(Math.abs(exponent));
        return exponent >= 0 ? power : BigDecimal.ONE.divide(power, MathContext.UNLIMITED);
    }

    /** The exponent of the leading bit of a positive number. */
    private static int exponentOf(BigDecimal magnitude) {
        int exponent = (int) Math.floor((magnitude.precision() - magnitude.scale() - 1) * 3.321928094887362);
        while (power(exponent).compareTo(magnitude) > 0) {
            exponent--;
        }
        while (power(exponent + 1).compareTo(magnitude) <= 0) {
            exponent++;
        }
        return exponent;
    }
}
