package io.gpuquant.quantize;

import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.quantize.GptqOptions.Ordering;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * What the textbook quantizes to.
 *
 * @param order the input features in the order of their turns
 * @param groupIndex the group of each input feature
 * @param staticGroups whether all grids are found before the first turn
 */
@SuppressWarnings("ArrayRecordComponent") // Bulk data that is made once and only read.
record ReferenceScheme(QuantizationGrid grid, int[] order, int[] groupIndex, boolean staticGroups) {

    static ReferenceScheme of(GptqOptions options, SyntheticStage stage) {
        int size = options.groupSize() == -1 ? stage.in() : options.groupSize();
        int[] order = IntStream.range(0, stage.in())
                .boxed()
                .sorted(rule(options.ordering(), stage.diagonal(), size))
                .mapToInt(Integer::intValue)
                .toArray();
        int[] groupIndex = new int[order.length];
        boolean byTurn = options.ordering() == Ordering.ACTIVATION && !options.staticGroups();
        for (int turn = 0; turn < order.length; turn++) {
            groupIndex[order[turn]] = (byTurn ? turn : order[turn]) / size;
        }
        return new ReferenceScheme(options.grid(), order, groupIndex, options.staticGroups());
    }

    private static Comparator<Integer> rule(Ordering ordering, float[] diagonal, int size) {
        Comparator<Integer> largestFirst =
                Comparator.comparing((Integer i) -> diagonal[i]).reversed();
        return switch (ordering) {
            case NATURAL -> Comparator.naturalOrder();
            case ACTIVATION -> largestFirst;
            case GROUP_AWARE ->
                Comparator.comparing((Integer i) -> largestOf(diagonal, i / size, size))
                        .reversed()
                        .thenComparing(i -> i / size)
                        .thenComparing(largestFirst);
        };
    }

    private static float largestOf(float[] diagonal, int group, int size) {
        float largest = 0;
        for (int i = group * size; i < (group + 1) * size; i++) {
            largest = Math.max(largest, diagonal[i]);
        }
        return largest;
    }

    int groups() {
        return Arrays.stream(groupIndex).max().orElseThrow() + 1;
    }
}
