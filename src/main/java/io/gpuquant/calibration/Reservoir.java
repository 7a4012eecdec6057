package io.gpuquant.calibration;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Keeps a uniformly random choice, without replacement, of the sequences offered to it, without knowing beforehand how
 * many will come: algorithm R of Vitter, "Random sampling with a reservoir", ACM TOMS 11 (1985). The first
 * {@code capacity} sequences fill the places; sequence i (counted from 0) after them draws a number below i + 1 from
 * {@link SplitMix64} and takes the place of that number, if there is one. Memory is that of the kept sequences.
 */
final class Reservoir {

    private final int capacity;
    private final SplitMix64 random;
    private final List<Kept> kept = new ArrayList<>();
    private long offered;

    /** A sequence and how many were offered before it. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Kept(long index, int[] ids) {}

    Reservoir(int capacity, long seed) {
        this.capacity = capacity;
        this.random = new SplitMix64(seed);
    }

    void offer(int[] ids) {
        if (kept.size() < capacity) {
            kept.add(new Kept(offered, ids));
        } else {
            long place = random.below(offered + 1);
            if (place < capacity) {
                kept.set((int) place, new Kept(offered, ids));
            }
        }
        offered++;
    }

    /** How many sequences were offered so far. */
    long offered() {
        return offered;
    }

    /** The kept sequences in the order in which they were offered. */
    List<Kept> inOrder() {
        return kept.stream().sorted(Comparator.comparingLong(Kept::index)).toList();
    }
}
