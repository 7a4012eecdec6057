package io.gpuquant.ptx;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class FloatFormatTest {

    private static double value(FloatFormat format, long bits) {
        return switch (format) {
            case F16 -> Float.float16ToFloat((short) bits);
            case BF16 -> Float.intBitsToFloat((int) bits << 16);
            case TF32 -> Float.intBitsToFloat((int) bits << 13);
            case F32 -> Float.intBitsToFloat((int) bits);
            case F64 -> Double.longBitsToDouble(bits);
        };
    }

    private static double expected(FloatFormat format, BigDecimal exact, Rounding rounding) {
        return switch (format) {
            case F16 -> DecimalRounding.round(exact, 10, 15, rounding);
            case BF16 -> DecimalRounding.round(exact, 7, 127, rounding);
            case TF32 -> DecimalRounding.round(exact, 10, 127, rounding);
            case F32 -> DecimalRounding.round(exact, 23, 127, rounding);
            case F64 -> DecimalRounding.round(exact, 52, 1023, rounding);
        };
    }

    @ParameterizedTest
    @EnumSource(Rounding.class)
    void roundsBetweenAnyTwoNeighboursOfA16BitFormat(Rounding rounding) {
        for (FloatFormat format : new FloatFormat[] {FloatFormat.F16, FloatFormat.BF16}) {
            for (int bits = 0; bits < 0x7f00; bits += 7) {
                double low = value(format, bits);
                double high = value(format, bits + 1);
                if (Double.isFinite(low) && Double.isFinite(high)) {
                    double middle = low + (high - low) / 2;
                    for (double exact : new double[] {
                        low, Math.nextUp(low), Math.nextDown(middle), middle, Math.nextUp(middle), Math.nextDown(high)
                    }) {
                        requireRounded(format, exact, rounding);
                        requireRounded(format, -exact, rounding);
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Rounding.class)
    void roundsRandomDoublesIntoEachFormat(Rounding rounding) {
        Random random = new Random(3);
        for (FloatFormat format : FloatFormat.values()) {
            int range = switch (format) {
                case F16 -> 30;
                case F64 -> 900;
                default -> 155;
            };
            for (int i = 0; i < 4000; i++) {
                double exact = Math.scalb(random.nextDouble() - 0.5, random.nextInt(-range, range));
                requireRounded(format, exact, rounding);
            }
        }
    }

    private static void requireRounded(FloatFormat format, double exact, Rounding rounding) {
        double rounded = value(format, format.round(exact, rounding));
        if (exact == 0) {
            assertThat(rounded).isEqualTo(exact);
        } else {
            assertThat(rounded)
                    .as("%s of %s, %s", format, exact, rounding)
                    .isEqualTo(expected(format, new BigDecimal(exact), rounding));
        }
    }

    @ParameterizedTest
    @EnumSource(Rounding.class)
    void roundsIntegersOf64Bits(Rounding rounding) {
        Random random = new Random(4);
        for (int i = 0; i < 3000; i++) {
            long integer = random.nextLong() >> random.nextInt(60);
            if (integer == 0) {
                continue;
            }
            for (FloatFormat format : new FloatFormat[] {FloatFormat.F16, FloatFormat.F32, FloatFormat.F64}) {
                assertThat(value(format, format.round(integer, true, rounding)))
                        .isEqualTo(expected(format, BigDecimal.valueOf(integer), rounding));
                assertThat(value(format, format.round(integer, false, rounding)))
                        .isEqualTo(expected(format, new BigDecimal(Long.toUnsignedString(integer)), rounding));
            }
        }
    }

    @Test
    void keepsZerosInfinitiesAndTheCanonicalNan() {
        assertThat(FloatFormat.F16.round(-0.0, Rounding.UP)).isEqualTo(0x8000);
        assertThat(FloatFormat.F32.round(Double.NEGATIVE_INFINITY, Rounding.UP)).isEqualTo(0xff800000L);
        assertThat(FloatFormat.BF16.round(Double.NaN, Rounding.UP)).isEqualTo(0x7fff);
        assertThat(FloatFormat.F32.round(Double.NaN, Rounding.UP)).isEqualTo(0x7fffffff);
    }
}
