package io.gpuquant.safetensors;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.BitSet;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class WrittenRangesTest {

    @Test
    void coversNothingAtFirstButATensorOfNoBytes() {
        assertThat(new WrittenRanges().cover(0)).isTrue();
        assertThat(new WrittenRanges().cover(1)).isFalse();
    }

    @Test
    void joinsPiecesInAnyOrder() {
        WrittenRanges ranges = new WrittenRanges();
        ranges.add(4, 8);
        ranges.add(0, 2);
        assertThat(ranges.cover(8)).isFalse();
        assertThat(ranges.cover(2)).isTrue();
        ranges.add(2, 4);
        assertThat(ranges.cover(8)).isTrue();
        assertThat(ranges.cover(9)).isFalse();
    }

    @Test
    void doesNotCountAPieceTwice() {
        WrittenRanges ranges = new WrittenRanges();
        ranges.add(0, 4);
        ranges.add(0, 4);
        assertThat(ranges.cover(8)).isFalse();
    }

    @Test
    void coversWhatABitSetCovers() {
        SplittableRandom random = new SplittableRandom(3);
        for (int round = 0; round < 2000; round++) {
            WrittenRanges ranges = new WrittenRanges();
            BitSet bits = new BitSet();
            for (int piece = 0; piece < 12; piece++) {
                int begin = random.nextInt(20);
                int end = random.nextInt(begin, 21);
                ranges.add(begin, end);
                bits.set(begin, end);
                int covered = bits.nextClearBit(0);
                assertThat(ranges.cover(covered)).isTrue();
                assertThat(ranges.cover(covered + 1)).isFalse();
            }
        }
    }
}
