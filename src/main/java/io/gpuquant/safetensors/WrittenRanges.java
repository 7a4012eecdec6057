package io.gpuquant.safetensors;

import java.util.Map;
import java.util.TreeMap;

/** Which bytes of one tensor have been written: disjoint, non-touching ranges, begin to end. */
final class WrittenRanges {

    private final TreeMap<Long, Long> ends = new TreeMap<>();

    /** Adds the bytes from {@code begin} up to, not including, {@code end}. */
    void add(long begin, long end) {
        long mergedBegin = begin;
        long mergedEnd = end;
        Map.Entry<Long, Long> touching = ends.floorEntry(end);
        while (touching != null && touching.getValue() >= begin) {
            mergedBegin = Math.min(mergedBegin, touching.getKey());
            mergedEnd = Math.max(mergedEnd, touching.getValue());
            ends.remove(touching.getKey());
            touching = ends.floorEntry(end);
        }
        if (mergedBegin < mergedEnd) {
            ends.put(mergedBegin, mergedEnd);
        }
    }

    /** Whether all of the first {@code size} bytes have been written. */
    boolean cover(long size) {
        Map.Entry<Long, Long> first = ends.firstEntry();
        return size == 0 || (first != null && first.getKey() == 0 && first.getValue() >= size);
    }
}
