package io.gpuquant.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class BFloat16Test {

    private static final int PATTERNS = 1 << 16;
    private static final int INFINITY = 0x7f80;

    @Test
    void everyPatternHasTheValueItsFieldsSay() {
        for (int pattern = 0; pattern < PATTERNS; pattern++) {
            int exponent = pattern >> 7 & 0xff;
            int fraction = pattern & 0x7f;
            double sign = pattern >> 15 == 0 ? 1 : -1;
            float actual = BFloat16.toFloat((short) pattern);
            if (exponent == 255 && fraction != 0) {
                assertThat(actual).as("pattern %04x", pattern).isNaN();
                continue;
            }
            double expected = exponent == 255
                    ? sign * Double.POSITIVE_INFINITY
                    : exponent == 0
                            ? sign * Math.scalb((double) fraction, -126 - 7)
                            : sign * Math.scalb(128.0 + fraction, exponent - 127 - 7);
            assertThat(actual).as("pattern %04x", pattern).isEqualTo((float) expected);
        }
    }

    @Test
    void everyPatternThatIsNotNanSurvivesTheRoundTrip() {
        for (int pattern = 0; pattern < PATTERNS; pattern++) {
            float value = BFloat16.toFloat((short) pattern);
            short expected = Float.isNaN(value) ? (short) 0x7fff : (short) pattern;
            assertThat(BFloat16.fromFloat(value)).as("pattern %04x", pattern).isEqualTo(expected);
        }
    }

    @Test
    void tiesBetweenNeighboursGoToTheEvenOneAndTheirNeighboursToTheNearest() {
        for (int lower = 0; lower < INFINITY; lower++) {
            int tie = lower << 16 | 0x8000;
            int even = lower % 2 == 0 ? lower : lower + 1;
            assertRounds(tie, even);
            assertRounds(tie - 1, lower);
            assertRounds(tie + 1, lower + 1);
            assertRounds(tie | 0x80000000, even | 0x8000);
            assertRounds((tie - 1) | 0x80000000, lower | 0x8000);
            assertRounds((tie + 1) | 0x80000000, lower + 1 | 0x8000);
        }
    }

    @Test
    void randomFloatsGoToTheNearestByDistance() {
        SplittableRandom random = new SplittableRandom(7);
        for (int i = 0; i < 200_000; i++) {
            int bits = random.nextInt() & 0x7fffffff;
            float value = Float.intBitsToFloat(bits);
            if (!Float.isFinite(value)) {
                continue;
            }
            int below = bits >>> 16;
            // For the distance, the pattern of infinity stands for 2^128, which is what IEEE rounding compares with.
            double fromBelow = (double) value - magnitude(below);
            double fromAbove = magnitude(below + 1) - (double) value;
            int expected = fromBelow < fromAbove || (fromBelow == fromAbove && below % 2 == 0) ? below : below + 1;
            assertRounds(bits, expected);
        }
    }

    @Test
    void everyKindOfNanBecomesTheCanonicalOne() {
        for (int bits :
                new int[] {0x7f800001, 0x7fc00000, 0x7fffffff, 0xff800001, 0xffc00000, 0xffffffff, 0x7f80ffff}) {
            assertRounds(bits, 0x7fff);
        }
    }

    @Test
    void whatExceedsTheLargestFiniteValueByHalfAStepBecomesInfinite() {
        assertRounds(Float.floatToRawIntBits(Float.MAX_VALUE), INFINITY);
        assertRounds(Float.floatToRawIntBits(-Float.MAX_VALUE), INFINITY | 0x8000);
        assertRounds(0x7f7f7fff, 0x7f7f);
        assertRounds(0x7f7f8000, INFINITY);
    }

    @Test
    void theSmallestFloatBecomesZeroOfItsSign() {
        assertRounds(1, 0);
        assertRounds(0x80000001, 0x8000);
    }

    private static double magnitude(int pattern) {
        return pattern == INFINITY ? 0x1p128 : BFloat16.toFloat((short) pattern);
    }

    private static void assertRounds(int floatBits, int pattern) {
        short actual = BFloat16.fromFloat(Float.intBitsToFloat(floatBits));
        if (actual != (short) pattern) {
            assertThat(actual & 0xffff).as("float %08x", floatBits).isEqualTo(pattern);
        }
    }
}
