package io.gpuquant.calibration;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SequenceCutterTest {

    private final List<int[]> cut = new ArrayList<>();

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 7, 100})
    void cutsTheSameHoweverTheStreamIsGiven(int piece) {
        SequenceCutter cutter = new SequenceCutter(4, cut::add);
        for (int from = 0; from < 14; from += piece) {
            cutter.append(IntStream.range(from, Math.min(14, from + piece)).toArray());
        }

        assertThat(cut).containsExactly(new int[] {0, 1, 2, 3}, new int[] {4, 5, 6, 7}, new int[] {8, 9, 10, 11});
        assertThat(cutter.tokens()).isEqualTo(14);
        assertThat(cutter.tail()).isEqualTo(2);
        assertThat(cutter.overlappingTail()).hasValue(new int[] {10, 11, 12, 13});
    }

    @Test
    void hasNoTailWhenTheStreamEndsWithASequence() {
        SequenceCutter cutter = new SequenceCutter(3, cut::add);
        cutter.append(new int[] {1, 2, 3});
        cutter.append(new int[0]);

        assertThat(cut).containsExactly(new int[] {1, 2, 3});
        assertThat(cutter.tail()).isZero();
        assertThat(cutter.overlappingTail()).isEmpty();
    }

    @Test
    void hasNoOverlappingTailWithoutASequenceBeforeIt() {
        SequenceCutter cutter = new SequenceCutter(3, cut::add);
        cutter.append(new int[] {1, 2});

        assertThat(cut).isEmpty();
        assertThat(cutter.overlappingTail()).isEmpty();
    }
}
