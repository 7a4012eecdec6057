package io.gpuquant.ptx;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Fused multiply-adds of float32 in every direction, against decimal arithmetic. */
class ExactSumTest {

    @ParameterizedTest
    @EnumSource(names = {"TOWARD_ZERO", "DOWN", "UP"})
    void roundsOnceInTheGivenDirection(Rounding rounding) {
        Random random = new Random(2);
        for (int i = 0; i < 40_000; i++) {
            float a = anyFloat(random);
            float b = anyFloat(random);
            float product = a * b;
            float c = i % 2 == 0 || !Float.isFinite(product)
                    ? anyFloat(random)
                    : -product * (1 + random.nextInt(-3, 4) * 0x1p-23f);
            if (!Float.isFinite(c)) {
                continue;
            }
            BigDecimal exact = new BigDecimal(a).multiply(new BigDecimal(b)).add(new BigDecimal(c));
            float result = ExactSum.fma(a, b, c, rounding);
            double expected = DecimalRounding.round(exact, 23, 127, rounding);
            assertThat((double) result == expected)
                    .as("%s * %s + %s %s: %s, not %s", a, b, c, rounding, result, expected)
                    .isTrue();
        }
    }

    private static float anyFloat(Random random) {
        while (true) {
            float value = Float.intBitsToFloat(random.nextInt());
            if (Float.isFinite(value)) {
                return value;
            }
        }
    }
}
