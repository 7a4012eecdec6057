package io.gpuquant.ptx;

/** A binary float format: how exact values are rounded into it. */
enum FloatFormat {
    F16(5, 10, 0x7fff),
    BF16(8, 7, 0x7fff),
    /** What the upper 19 bits of a float32 hold. */
    TF32(8, 10, 0x3ffff),
    F32(8, 23, FloatBits.NAN),
    F64(11, 52, FloatBits.DOUBLE_NAN);

    private static final int DOUBLE_FRACTION_BITS = 52;
    private static final int DOUBLE_MIN_EXPONENT = -1022;

    private final int fractionBits;
    private final int bias;
    private final long infinity;
    private final long nan;

    FloatFormat(int exponentBits, int fractionBits, long nan) {
        this.fractionBits = fractionBits;
        this.nan = nan;
        bias = (1 << exponentBits - 1) - 1;
        infinity = (1L << exponentBits) - 1 << fractionBits;
    }

    /** The bits of a value in this format, every NaN the canonical one. */
    long round(double value, Rounding rounding) {
        if (Double.isNaN(value)) {
            return nan;
        }
        boolean negative = Math.copySign(1, value) < 0;
        if (Double.isInfinite(value)) {
            return signed(negative, infinity);
        }
        long bits = Double.doubleToRawLongBits(value);
        int exponent = Math.getExponent(value);
        long fraction = bits & (1L << DOUBLE_FRACTION_BITS) - 1;
        return exponent < DOUBLE_MIN_EXPONENT
                ? round(negative, fraction, DOUBLE_MIN_EXPONENT - DOUBLE_FRACTION_BITS, rounding)
                : round(negative, fraction | 1L << DOUBLE_FRACTION_BITS, exponent - DOUBLE_FRACTION_BITS, rounding);
    }

    /** The bits of an integer in this format. */
    long round(long value, boolean signed, Rounding rounding) {
        boolean negative = signed && value < 0;
        return round(negative, negative ? -value : value, 0, rounding);
    }

    /** The bits of {@code ± significand * 2^exponent}; the significand is unsigned. */
    private long round(boolean negative, long significand, int exponent, Rounding rounding) {
        if (significand == 0) {
            return signed(negative, 0);
        }
        int leading = exponent + Long.SIZE - 1 - Long.numberOfLeadingZeros(significand);
        int binade = Math.max(leading, 1 - bias);
        int dropped = binade - fractionBits - exponent;
        long kept;
        boolean away;
        if (dropped <= 0) {
            kept = significand << -dropped;
            away = false;
        } else {
            kept = dropped < Long.SIZE ? significand >>> dropped : 0;
            away = roundsAway(negative, significand, kept, dropped, rounding);
        }
        // The leading bit of a normal number adds one to the exponent field, and so does a carry out of the fraction.
        long magnitude = ((long) (binade + bias - 1) << fractionBits) + kept + (away ? 1 : 0);
        if (magnitude >= infinity) {
            boolean overflows = rounding == Rounding.NEAREST_EVEN
                    || rounding == Rounding.NEAREST_AWAY
                    || rounding.isAwayFromZero(negative);
            magnitude = overflows ? infinity : infinity - 1;
        }
        return signed(negative, magnitude);
    }

    private static boolean roundsAway(boolean negative, long significand, long kept, int dropped, Rounding rounding) {
        long rest = dropped < Long.SIZE ? significand & (1L << dropped) - 1 : significand;
        if (rest == 0) {
            return false;
        }
        // The sign of the rest minus one half; more than 64 dropped bits are always less than half.
        int half = dropped > Long.SIZE ? -1 : Long.compareUnsigned(rest, 1L << dropped - 1);
        return switch (rounding) {
            case NEAREST_EVEN -> half > 0 || half == 0 && (kept & 1) != 0;
            case NEAREST_AWAY -> half >= 0;
            default -> rounding.isAwayFromZero(negative);
        };
    }

    private long signed(boolean negative, long magnitude) {
        return negative ? infinity + (1L << fractionBits) | magnitude : magnitude;
    }
}
