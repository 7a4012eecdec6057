package io.gpuquant.calibration;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ReservoirTest {

    @Test
    void keepsAllWhenThereIsPlace() {
        assertThat(choose(5, 5, 0)).containsExactly(0, 1, 2, 3, 4);
        assertThat(choose(5, 9, 0)).containsExactly(0, 1, 2, 3, 4);
    }

    @Test
    void keepsDistinctSequencesInOrder() {
        List<Integer> chosen = choose(1000, 100, 1);

        assertThat(chosen).hasSize(100).doesNotHaveDuplicates().isSorted();
    }

    @Test
    void dependsOnTheSeedAlone() {
        assertThat(choose(1000, 10, 7)).isEqualTo(choose(1000, 10, 7)).isNotEqualTo(choose(1000, 10, 8));
    }

    @Test
    void choosesEverySequenceEquallyOften() {
        int[] timesChosen = new int[20];
        for (int seed = 0; seed < 4000; seed++) {
            choose(20, 5, seed).forEach(index -> timesChosen[index]++);
        }

        // 1000 expected each; the standard deviation is 27.
        for (int times : timesChosen) {
            assertThat(times).isBetween(860, 1140);
        }
    }

    @Test
    void keepsEachIndexWithItsSequence() {
        Reservoir reservoir = new Reservoir(3, 4);
        IntStream.range(0, 50).forEach(i -> reservoir.offer(new int[] {i}));
        Set<Long> indices = new HashSet<>();

        for (Reservoir.Kept kept : reservoir.inOrder()) {
            assertThat(kept.ids()).containsExactly((int) kept.index());
            indices.add(kept.index());
        }
        assertThat(indices).hasSize(3);
        assertThat(reservoir.offered()).isEqualTo(50);
    }

    private static List<Integer> choose(int offered, int capacity, long seed) {
        Reservoir reservoir = new Reservoir(capacity, seed);
        IntStream.range(0, offered).forEach(i -> reservoir.offer(new int[] {i}));
        return reservoir.inOrder().stream().map(kept -> kept.ids()[0]).toList();
    }
}
