package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;

/**
 * Sums of products as {@link TensorCoreModel} describes them.
 *
 * <p>An operand has up to 11 bits, so a product of two is exact in float64, and so is its product with a power of two. That
 * moves the last place that the model keeps to the ones, where a cast to long truncates just as the model wants; a group of
 * 16 terms and the accumulator is then far from overflowing a long.
 */
final class FloatTensorCore extends TensorCore {

    private static final int FLOAT_FRACTION_BITS = 23;
    private static final int FLOAT_MIN_EXPONENT = -126;
    private static final int FLOAT_MAX_EXPONENT = 127;
    private static final int DOUBLE_BIAS = 1023;
    private static final int DOUBLE_FRACTION_BITS = 52;

    /** The alignment never goes below this exponent: smaller terms are cut off as if it were the largest. */
    private static final int MIN_ALIGNMENT_EXPONENT = -132;

    /** The exponent that stands for infinities and NaNs: with any other, the sum is above {@link #LARGE}. */
    private static final int SPECIAL = 1 << 20;

    /** The exponent that stands for zeros: with that of a number, the sum is below {@code -LARGE}. */
    private static final int ZERO = -SPECIAL / 4;

    private static final int LARGE = SPECIAL / 8;

    private final PtxType type;
    private final int groupSize;
    private final int extraBits;

    FloatTensorCore(PtxType type, TensorCoreModel model) {
        this.type = type;
        extraBits = model.extraBits();
        groupSize = type == PtxType.TF32 ? model.groupOfHalf() / 2 : model.groupOfHalf();
    }

    @Override
    void multiply(MatrixOperands operands, int k) {
        decode(operands.a, operands.valuesA, operands.exponentsA, ROWS * k);
        decode(operands.b, operands.valuesB, operands.exponentsB, COLUMNS * k);
        for (int row = 0; row < ROWS; row++) {
            for (int column = 0; column < COLUMNS; column++) {
                int sum = operands.accumulators[row * COLUMNS + column];
                for (int first = 0; first < k; first += groupSize) {
                    int count = Math.min(groupSize, k - first);
                    sum = addGroup(sum, operands, row * k + first, column * k + first, count);
                }
                operands.accumulators[row * COLUMNS + column] = sum;
            }
        }
    }

    /** The values of operands and their exponents, which for a subnormal is that of the smallest normal number. */
    private void decode(int[] bits, double[] values, int[] exponents, int count) {
        switch (type) {
            case F16 -> {
                for (int i = 0; i < count; i++) {
                    values[i] = Float.float16ToFloat((short) bits[i]);
                    exponents[i] = exponent(bits[i] & 0x7fff, 10, 31, 15);
                }
            }
            case BF16 -> {
                for (int i = 0; i < count; i++) {
                    values[i] = Float.intBitsToFloat(bits[i] << 16);
                    exponents[i] = exponent(bits[i] & 0x7fff, 7, 255, 127);
                }
            }
            default -> {
                // TF32 stands in the upper 19 bits of a word; the unit does not look at the others.
                for (int i = 0; i < count; i++) {
                    int seen = bits[i] & 0xffffe000;
                    values[i] = Float.intBitsToFloat(seen);
                    exponents[i] = exponent(seen >>> 13 & 0x3ffff, 10, 255, 127);
                }
            }
        }
    }

    private static int exponent(int magnitude, int fractionBits, int special, int bias) {
        int field = magnitude >>> fractionBits;
        if (field == special) {
            return SPECIAL;
        }
        return magnitude == 0 ? ZERO : Math.max(field, 1) - bias;
    }

    /** One group: float32 bits plus {@code count} products, aligned, truncated, summed and truncated again. */
    private int addGroup(int accumulator, MatrixOperands operands, int atA, int atB, int count) {
        int[] exponentsA = operands.exponentsA;
        int[] exponentsB = operands.exponentsB;
        int alignment = exponent(accumulator & 0x7fffffff, FLOAT_FRACTION_BITS, 255, FLOAT_MAX_EXPONENT);
        for (int i = 0; i < count; i++) {
            alignment = Math.max(alignment, exponentsA[atA + i] + exponentsB[atB + i]);
        }
        if (alignment > LARGE) {
            return addSpecials(accumulator, operands, atA, atB, count);
        }
        if (alignment < -LARGE) {
            return 0;
        }
        alignment = Math.max(alignment, MIN_ALIGNMENT_EXPONENT);
        int lastPlace = FLOAT_FRACTION_BITS + extraBits - alignment;
        double scale = Double.longBitsToDouble((long) (DOUBLE_BIAS + lastPlace) << DOUBLE_FRACTION_BITS);
        double[] valuesA = operands.valuesA;
        double[] valuesB = operands.valuesB;
        long sum = (long) (Float.intBitsToFloat(accumulator) * scale);
        for (int i = 0; i < count; i++) {
            sum += (long) (valuesA[atA + i] * valuesB[atB + i] * scale);
        }
        return toFloat(sum, alignment);
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

    /** Infinities and NaNs follow the rules of any sum, and hide whatever is finite. */
    private static int addSpecials(int accumulator, MatrixOperands operands, int atA, int atB, int count) {
        float sum = FloatBits.value(accumulator);
        sum = Float.isInfinite(sum) || Float.isNaN(sum) ? sum : 0;
        for (int i = 0; i < count; i++) {
            if (operands.exponentsA[atA + i] == SPECIAL || operands.exponentsB[atB + i] == SPECIAL) {
                sum += (float) (operands.valuesA[atA + i] * operands.valuesB[atB + i]);
            }
        }
        return FloatBits.canonical(FloatBits.of(sum));
    }
}
