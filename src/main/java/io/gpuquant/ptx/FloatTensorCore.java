package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;

/**
 * Sums of products as {@link TensorCoreModel} describes them, in integer arithmetic.
 *
 * <p>A finite operand is a significand of up to 11 bits times a power of two, so a product is exact in 22 bits; with the
 * accumulator's 24 bits, the extra bits of the model and a group of 16 terms, a sum fits a long with room to spare.
 */
final class FloatTensorCore extends TensorCore {

    private static final int FLOAT_FRACTION_BITS = 23;
    private static final int FLOAT_MIN_EXPONENT = -126;
    private static final int FLOAT_MAX_EXPONENT = 127;

    /** The alignment never goes below this exponent: smaller terms are cut off as if it were the largest. */
    private static final int MIN_ALIGNMENT_EXPONENT = -132;

    /** Marks an operand that is infinite or not a number; its significand says which. */
    private static final int SPECIAL = Integer.MAX_VALUE;

    private final int exponentBits;
    private final int fractionBits;
    private final int droppedBits;
    private final int groupSize;
    private final int extraBits;

    FloatTensorCore(PtxType type, TensorCoreModel model) {
        extraBits = model.extraBits();
        switch (type) {
            case F16 -> {
                exponentBits = 5;
                fractionBits = 10;
                droppedBits = 0;
                groupSize = model.groupOfHalf();
            }
            case BF16 -> {
                exponentBits = 8;
                fractionBits = 7;
                droppedBits = 0;
                groupSize = model.groupOfHalf();
            }
            default -> {
                // TF32 stands in the upper 19 bits of a word; the unit does not look at the others.
                exponentBits = 8;
                fractionBits = 10;
                droppedBits = 13;
                groupSize = model.groupOfHalf() / 2;
            }
        }
    }

    @Override
    void multiply(int[] a, int[] b, int[] accumulators, int k) {
        int[] exponentsA = new int[a.length];
        int[] significandsA = new int[a.length];
        int[] exponentsB = new int[b.length];
        int[] significandsB = new int[b.length];
        split(a, exponentsA, significandsA);
        split(b, exponentsB, significandsB);
        Terms terms = new Terms(exponentsA, significandsA, exponentsB, significandsB);
        for (int row = 0; row < ROWS; row++) {
            for (int column = 0; column < COLUMNS; column++) {
                int sum = accumulators[row * COLUMNS + column];
                for (int first = 0; first < k; first += groupSize) {
                    int count = Math.min(groupSize, k - first);
                    sum = addGroup(sum, terms, row * k + first, column * k + first, count);
                }
                accumulators[row * COLUMNS + column] = sum;
            }
        }
    }

    /** Decoded operands. */
    private record Terms(int[] exponentsA, int[] significandsA, int[] exponentsB, int[] significandsB) {}

    /** Splits operands into exponent and signed significand with {@link #fractionBits} binary places. */
    private void split(int[] operands, int[] exponents, int[] significands) {
        int bias = (1 << exponentBits - 1) - 1;
        int exponentMask = (1 << exponentBits) - 1;
        int fractionMask = (1 << fractionBits) - 1;
        for (int i = 0; i < operands.length; i++) {
            int bits = operands[i] >>> droppedBits;
            int fraction = bits & fractionMask;
            int exponent = bits >>> fractionBits & exponentMask;
            boolean negative = (bits >>> fractionBits + exponentBits & 1) != 0;
            if (exponent == exponentMask) {
                exponents[i] = SPECIAL;
                significands[i] = fraction != 0 ? 0 : negative ? -1 : 1;
            } else {
                int magnitude = exponent == 0 ? fraction : fraction | 1 << fractionBits;
                exponents[i] = exponent == 0 ? 1 - bias : exponent - bias;
                significands[i] = negative ? -magnitude : magnitude;
            }
        }
    }

    /** One group: float32 bits plus {@code count} products, aligned, truncated, summed and truncated again. */
    private int addGroup(int accumulator, Terms terms, int atA, int atB, int count) {
        int alignment = Integer.MIN_VALUE;
        for (int i = 0; i < count; i++) {
            if (terms.exponentsA[atA + i] == SPECIAL || terms.exponentsB[atB + i] == SPECIAL) {
                return addSpecials(accumulator, terms, atA, atB, count);
            }
            if (terms.significandsA[atA + i] != 0 && terms.significandsB[atB + i] != 0) {
                alignment = Math.max(alignment, terms.exponentsA[atA + i] + terms.exponentsB[atB + i]);
            }
        }
        int accumulatorExponent = Math.getExponent(FloatBits.value(accumulator));
        if (accumulatorExponent > FLOAT_MAX_EXPONENT) {
            return Float.isNaN(FloatBits.value(accumulator)) ? FloatBits.NAN : accumulator;
        }
        accumulatorExponent = Math.max(accumulatorExponent, FLOAT_MIN_EXPONENT);
        int accumulatorSignificand = significand(accumulator);
        if (accumulatorSignificand != 0) {
            alignment = Math.max(alignment, accumulatorExponent);
        }
        if (alignment == Integer.MIN_VALUE) {
            return 0;
        }
        alignment = Math.max(alignment, MIN_ALIGNMENT_EXPONENT);
        long sum = shifted((long) accumulatorSignificand << extraBits, alignment - accumulatorExponent);
        int toFloatFraction = FLOAT_FRACTION_BITS - 2 * fractionBits + extraBits;
        for (int i = 0; i < count; i++) {
            long product = (long) terms.significandsA[atA + i] * terms.significandsB[atB + i];
            int exponent = terms.exponentsA[atA + i] + terms.exponentsB[atB + i];
            sum += shifted(product << toFloatFraction, alignment - exponent);
        }
        return toFloat(sum, alignment);
    }

    private static int significand(int floatBits) {
        int fraction = floatBits & (1 << FLOAT_FRACTION_BITS) - 1;
        boolean subnormal = (floatBits & 0x7f800000) == 0;
        int magnitude = subnormal ? fraction : fraction | 1 << FLOAT_FRACTION_BITS;
        return floatBits < 0 ? -magnitude : magnitude;
    }

    /** Shifts right, truncating the magnitude. */
    private static long shifted(long value, int places) {
        if (places > 62) {
            return 0;
        }
        return value < 0 ? -(-value >> places) : value >> places;
    }

    /** The float32 of {@code sum * 2^(alignment - 23 - extraBits)}, truncated. */
    private int toFloat(long sum, int alignment) {
        if (sum == 0) {
            return 0;
        }
        int sign = sum < 0 ? 0x80000000 : 0;
        long magnitude = Math.abs(sum);
        int length = Long.SIZE - Long.numberOfLeadingZeros(magnitude);
        int exponent = alignment + length - 1 - (FLOAT_FRACTION_BITS + extraBits);
        int surplus = length - (FLOAT_FRACTION_BITS + 1);
        if (exponent < FLOAT_MIN_EXPONENT) {
            return sign | (int) shift(magnitude, surplus + FLOAT_MIN_EXPONENT - exponent);
        }
        if (exponent > FLOAT_MAX_EXPONENT) {
            return sign | 0x7f800000;
        }
        int fraction = (int) shift(magnitude, surplus) & (1 << FLOAT_FRACTION_BITS) - 1;
        return sign | exponent + FLOAT_MAX_EXPONENT << FLOAT_FRACTION_BITS | fraction;
    }

    private static long shift(long magnitude, int right) {
        return right >= 0 ? magnitude >> right : magnitude << -right;
    }

    /** Infinities and NaNs follow the rules of any sum. */
    private static int addSpecials(int accumulator, Terms terms, int atA, int atB, int count) {
        float sum = FloatBits.value(accumulator);
        sum = Float.isInfinite(sum) || Float.isNaN(sum) ? sum : 0;
        for (int i = 0; i < count; i++) {
            if (terms.exponentsA[atA + i] == SPECIAL || terms.exponentsB[atB + i] == SPECIAL) {
                sum += special(terms.exponentsA[atA + i], terms.significandsA[atA + i])
                        * special(terms.exponentsB[atB + i], terms.significandsB[atB + i]);
            }
        }
        return FloatBits.canonical(FloatBits.of(sum));
    }

    /** A float of the same class and sign. */
    private static float special(int exponent, int significand) {
        if (exponent != SPECIAL) {
            return Integer.signum(significand);
        }
        return significand == 0 ? Float.NaN : significand * Float.POSITIVE_INFINITY;
    }
}
