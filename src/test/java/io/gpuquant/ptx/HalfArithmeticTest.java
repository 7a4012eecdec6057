package io.gpuquant.ptx;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Sums, products and fused multiply-adds of random bits against decimal arithmetic, rounded once. */
class HalfArithmeticTest {

    private static final int SAMPLES = 60_000;

    private static double round(HalfArithmetic format, BigDecimal exact) {
        return format == HalfArithmetic.F16
                ? DecimalRounding.round(exact, 10, 15, Rounding.NEAREST_EVEN)
                : DecimalRounding.round(exact, 7, 127, Rounding.NEAREST_EVEN);
    }

    private static BigDecimal exact(float value) {
        return new BigDecimal(value);
    }

    private static int finiteBits(HalfArithmetic format, Random random) {
        while (true) {
            int bits = random.nextInt(1 << 16);
            if (Float.isFinite(format.value(bits))) {
                return bits;
            }
        }
    }

    /** Bits of a magnitude near that of another, so that sums cancel and round. */
    private static int near(HalfArithmetic format, float value, Random random) {
        float scaled = Math.scalb(value, random.nextInt(-14, 3)) * (1 + random.nextFloat());
        int bits = format.round(random.nextBoolean() ? scaled : -scaled);
        return Float.isFinite(format.value(bits)) ? bits : 0;
    }

    private static void requireEqual(HalfArithmetic format, int bits, BigDecimal exact, String what) {
        double expected = round(format, exact);
        // Zeros compare equal whatever their sign; the instruction files have those.
        assertThat((double) format.value(bits) == expected)
                .as("%s: %s, not %s", what, format.value(bits), expected)
                .isTrue();
    }

    @ParameterizedTest
    @EnumSource
    void sumsAndProductsAreRoundedOnce(HalfArithmetic format) {
        Random random = new Random(8);
        for (int i = 0; i < SAMPLES; i++) {
            int a = finiteBits(format, random);
            int b = i % 2 == 0 ? finiteBits(format, random) : near(format, format.value(a), random);
            BigDecimal x = exact(format.value(a));
            BigDecimal y = exact(format.value(b));
            String what = Integer.toHexString(a) + " and " + Integer.toHexString(b);
            requireEqual(format, format.add(a, b), x.add(y), what);
            requireEqual(format, format.subtract(a, b), x.subtract(y), what);
            requireEqual(format, format.multiply(a, b), x.multiply(y), what);
        }
    }

    @ParameterizedTest
    @EnumSource
    void fusedMultiplyAddsAreRoundedOnce(HalfArithmetic format) {
        Random random = new Random(9);
        for (int i = 0; i < SAMPLES; i++) {
            int a = finiteBits(format, random);
            int b = finiteBits(format, random);
            float product = format.value(a) * format.value(b);
            int c = i % 2 == 0 || !Float.isFinite(product) ? finiteBits(format, random) : near(format, product, random);
            BigDecimal exact =
                    exact(format.value(a)).multiply(exact(format.value(b))).add(exact(format.value(c)));
            requireEqual(
                    format,
                    format.fma(a, b, c),
                    exact,
                    Integer.toHexString(a) + " * " + Integer.toHexString(b) + " + " + Integer.toHexString(c));
        }
    }

    @ParameterizedTest
    @EnumSource
    void aTinyAddendDecidesWhereAProductLiesInTheMiddle(HalfArithmetic format) {
        int digits = format == HalfArithmetic.F16 ? 11 : 8;
        int cases = 0;
        for (int a = 1 << digits - 1; a < 1 << digits; a += 2) {
            for (int b = (1 << digits - 1) + 1; b < 1 << digits; b += 2) {
                long product = (long) a * b;
                int dropped = Long.SIZE - Long.numberOfLeadingZeros(product) - digits;
                if ((product & (1L << dropped) - 1) != 1L << dropped - 1) {
                    continue;
                }
                // Far below the last digit of a float64 sum for bfloat16, of a float32 sum for both.
                float tiny = format == HalfArithmetic.F16 ? 0x1p-24f : 0x1p-130f;
                for (float addend : new float[] {tiny, -tiny}) {
                    int x = format.round(Math.scalb((float) a, 1 - digits));
                    int y = format.round(Math.scalb((float) b, 1 - digits));
                    int z = format.round(addend);
                    BigDecimal exact = exact(format.value(x))
                            .multiply(exact(format.value(y)))
                            .add(exact(addend));
                    requireEqual(format, format.fma(x, y, z), exact, a + " * " + b + " + " + addend);
                    cases++;
                }
            }
        }
        assertThat(cases).isGreaterThan(20);
    }
}
