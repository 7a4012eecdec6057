package io.gpuquant.quantize;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * In which order GPTQ works through the input features of a linear, and which group each belongs to.
 *
 * @param order {@code order[j]} is the input feature whose turn is the j-th
 * @param groups {@code groups[j]} is the row of the scales that the feature whose turn is the j-th belongs to
 * @param groupIndex {@code groupIndex[i]} is the same for input feature i: {@code g_idx}
 */
@SuppressWarnings("ArrayRecordComponent") // Bulk data that is made once and only read.
record ColumnOrder(int[] order, int[] groups, int[] groupIndex) {

    /** The features as they are. */
    static ColumnOrder natural(int features, int groupSize) {
        return ofOriginalGroups(IntStream.range(0, features).toArray(), groupSize);
    }

    /**
     * Features with the largest diagonal entries first, and groups of consecutive turns (act-order): the features that matter
     * most are rounded while all others can still make up for it.
     */
    static ColumnOrder activation(float[] diagonal, int groupSize) {
        int[] order = descending(diagonal, 0, diagonal.length);
        int[] groups = new int[order.length];
        int[] groupIndex = new int[order.length];
        for (int turn = 0; turn < order.length; turn++) {
            groups[turn] = turn / groupSize;
            groupIndex[order[turn]] = turn / groupSize;
        }
        return new ColumnOrder(order, groups, groupIndex);
    }

    /** As {@link #activation}, but groups are runs of consecutive input features, whose scales are known beforehand. */
    static ColumnOrder activationWithStaticGroups(float[] diagonal, int groupSize) {
        return ofOriginalGroups(descending(diagonal, 0, diagonal.length), groupSize);
    }

    /**
     * Groups of consecutive input features, those with the largest diagonal entry first, and within each the features with the
     * largest first (group-aware reordering, arXiv 2505.14638): most of the gain of act-order, and engines need no {@code
     * g_idx}.
     */
    static ColumnOrder groupAware(float[] diagonal, int groupSize) {
        int count = diagonal.length / groupSize;
        int[][] groups = new int[count][];
        for (int group = 0; group < count; group++) {
            groups[group] = descending(diagonal, group * groupSize, (group + 1) * groupSize);
        }
        Arrays.sort(groups, Comparator.comparingDouble(group -> -diagonal[group[0]]));
        return ofOriginalGroups(
                Arrays.stream(groups).flatMapToInt(Arrays::stream).toArray(), groupSize);
    }

    private static ColumnOrder ofOriginalGroups(int[] order, int groupSize) {
        int[] groups = new int[order.length];
        int[] groupIndex = new int[order.length];
        for (int turn = 0; turn < order.length; turn++) {
            groups[turn] = order[turn] / groupSize;
            groupIndex[turn] = turn / groupSize;
        }
        return new ColumnOrder(order, groups, groupIndex);
    }

    /** Features from {@code from} to {@code to - 1}; ties keep their order, so that the result is the same everywhere. */
    private static int[] descending(float[] diagonal, int from, int to) {
        // In one word, so that a sort of primitives does: a device waits for it.
        long[] keys = new long[to - from];
        for (int i = 0; i < keys.length; i++) {
            int bits = Float.floatToIntBits(diagonal[from + i]);
            int ascending = bits ^ bits >> Integer.SIZE - 1 & Integer.MAX_VALUE;
            keys[i] = (long) ~ascending << Integer.SIZE | i;
        }
        Arrays.sort(keys);
        return Arrays.stream(keys).mapToInt(key -> from + (int) key).toArray();
    }

    /** {@code positions[i]} is the turn of input feature i. */
    int[] positions() {
        int[] positions = new int[order.length];
        for (int turn = 0; turn < order.length; turn++) {
            positions[order[turn]] = turn;
        }
        return positions;
    }
}
