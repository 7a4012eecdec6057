package io.gpuquant.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class MagnitudeHistogramTest {

    @Test
    void everyNumberIsInTheBinOfItsMagnitude() {
        SplittableRandom random = new SplittableRandom(5);
        for (int i = 0; i < 20_000; i++) {
            float value = (float) ((random.nextBoolean() ? 1 : -1) * Math.pow(2, random.nextDouble(-47.9, 15.9)));
            MagnitudeHistogram histogram = new MagnitudeHistogram();
            histogram.add(value);

            double log2 = Math.log(Math.abs((double) value)) / Math.log(2);
            int bin = (int) Math.floor((log2 - histogram.lowerLog2(0)) * MagnitudeHistogram.PER_OCTAVE + 1e-6);
            int nearby = (int) Math.floor((log2 - histogram.lowerLog2(0)) * MagnitudeHistogram.PER_OCTAVE - 1e-6);
            assertThat(histogram.count(bin) + (bin == nearby ? 0 : histogram.count(nearby)))
                    .as("%s", value)
                    .isOne();
        }
    }

    @Test
    void endsTakeWhatLiesBeyond() {
        MagnitudeHistogram histogram = new MagnitudeHistogram();
        histogram.add(0);
        histogram.add(-0f);
        histogram.add(Float.MIN_VALUE);
        histogram.add(1e-30f);
        histogram.add(-Float.MAX_VALUE);
        histogram.add(1);

        assertThat(histogram.zeros()).isEqualTo(2);
        assertThat(histogram.count(0)).isEqualTo(2);
        assertThat(histogram.count(histogram.bins() - 1)).isEqualTo(1);
        assertThat(histogram.count(48 * MagnitudeHistogram.PER_OCTAVE)).isEqualTo(1);
        assertThat(histogram.total()).isEqualTo(6);
        assertThat(histogram.lowerLog2(48 * MagnitudeHistogram.PER_OCTAVE)).isCloseTo(0, within(0.0));
        assertThat(histogram.lowerLog2(histogram.bins())).isCloseTo(16, within(0.0));
    }
}
