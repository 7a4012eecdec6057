package io.gpuquant.calibration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SplitMix64Test {

    @Test
    void hasThePublishedOutput() {
        SplitMix64 random = new SplitMix64(1234567);

        assertThat(random.next()).isEqualTo(6457827717110365317L);
        assertThat(random.next()).isEqualTo(3203168211198807973L);
        assertThat(random.next()).isEqualTo(Long.parseUnsignedLong("9817491932198370423"));
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, Long.MIN_VALUE, 42})
    void isTheGeneratorOfSplittableRandom(long seed) {
        SplitMix64 random = new SplitMix64(seed);
        SplittableRandom reference = new SplittableRandom(seed);

        for (int i = 0; i < 100; i++) {
            assertThat(random.next()).isEqualTo(reference.nextLong());
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 1000, Long.MAX_VALUE})
    void staysBelowItsBound(long bound) {
        SplitMix64 random = new SplitMix64(5);

        for (int i = 0; i < 1000; i++) {
            assertThat(random.below(bound)).isBetween(0L, bound - 1);
        }
    }

    @Test
    void drawsAgainWhatWouldBeBiased() {
        // Of all 63-bit numbers only those below the bound are whole multiples of it; about half must be drawn again.
        long bound = (1L << 62) + 1;
        SplitMix64 random = new SplitMix64(3);
        SplitMix64 raw = new SplitMix64(3);
        int redrawn = 0;

        for (int i = 0; i < 100; i++) {
            long value = random.below(bound);
            long bits = raw.next() >>> 1;
            while (bits != value) {
                assertThat(bits).isGreaterThanOrEqualTo(bound);
                bits = raw.next() >>> 1;
                redrawn++;
            }
        }

        assertThat(redrawn).isPositive();
    }

    @Test
    void refusesABoundWithoutNumbersBelowIt() {
        assertThatThrownBy(() -> new SplitMix64(0).below(0)).isInstanceOf(IllegalArgumentException.class);
    }
}
