package io.gpuquant.ptx;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What a checked machine knows about a piece of memory: who wrote each granule of it last, and who has read it since, as
 * stamps of the {@link Timeline}. A granule is as large as the accesses that come, and splits when a smaller one does.
 *
 * <p>Two readers per granule are enough for barriers of whole blocks and warps. Of readers in several warps, one each of two
 * is kept: a writer conflicts with at least one of them. Of readers in one warp, two lanes. A barrier of just some warps may
 * order both before a writer that conflicts with a third reader only; that race passes unseen.
 */
final class Shadow {

    /** The widest access of a lane. */
    static final int LARGEST_GRANULE_SHIFT = 4;

    private final int bytes;
    private int shift;
    private long[] writers;
    private long[] readers;
    private long @Nullable [] otherReaders;

    /**
     * @param granuleShift logarithm of the size of a granule
     */
    Shadow(int bytes, int granuleShift) {
        this.bytes = bytes;
        shift = granuleShift;
        int granules = bytes + (1 << shift) - 1 >>> shift;
        writers = new long[granules];
        readers = new long[granules];
    }

    /** The logarithm of the size of a granule that fits an aligned range. */
    static int shiftFor(int offset, int size) {
        return Math.min(LARGEST_GRANULE_SHIFT, Integer.numberOfTrailingZeros(offset | size));
    }

    /** Forgets everything. */
    void clear() {
        Arrays.fill(writers, 0);
        Arrays.fill(readers, 0);
        if (otherReaders != null) {
            Arrays.fill(otherReaders, 0);
        }
    }

    /** Makes granules small enough for an aligned range, and returns the index of its first. */
    int granule(int offset, int size) {
        int needed = shiftFor(offset, size);
        if (needed < shift) {
            refine(needed);
        }
        return offset >>> shift;
    }

    /** How many granules a range has, once {@link #granule} has been asked for it. */
    int granules(int size) {
        return size >>> shift;
    }

    /** The first byte of a granule. */
    int offsetOf(int granule) {
        return granule << shift;
    }

    private void refine(int needed) {
        int factor = shift - needed;
        writers = repeat(writers, factor);
        readers = repeat(readers, factor);
        otherReaders = otherReaders == null ? null : repeat(otherReaders, factor);
        shift = needed;
    }

    private long[] repeat(long[] values, int factor) {
        long[] repeated = new long[values.length << factor];
        for (int i = 0; i < repeated.length; i++) {
            repeated[i] = values[i >>> factor];
        }
        return repeated;
    }

    /** Who wrote a granule last; zero when nobody has, and negative as its user has set it. */
    long writer(int granule) {
        return writers[granule];
    }

    /** Sets the writer of a range, and forgets its readers. */
    void setWriter(int offset, int size, long stamp) {
        int first = granule(offset, size);
        int last = first + granules(size);
        Arrays.fill(writers, first, last, stamp);
        Arrays.fill(readers, first, last, 0);
        if (otherReaders != null) {
            Arrays.fill(otherReaders, first, last, 0);
        }
    }

    /** The first byte at or after an offset that nobody has written, or the size. */
    int firstUnwritten(int offset) {
        int granule = offset >>> shift;
        while (granule < writers.length && writers[granule] != 0) {
            granule++;
        }
        return Math.min(bytes, Math.max(offset, granule << shift));
    }

    /** Notes a read of a written granule; returns the stamp of a conflicting write, or zero. */
    long read(int granule, Ordering ordering, int lane) {
        long writer = writers[granule];
        if (!ordering.isOrdered(writer, lane)) {
            return writer;
        }
        if (ordering.isOrdered(readers[granule], lane)) {
            readers[granule] = ordering.stamp(lane);
        } else {
            readBesideAnother(granule, ordering, lane);
        }
        return 0;
    }

    private void readBesideAnother(int granule, Ordering ordering, int lane) {
        if (otherReaders == null) {
            otherReaders = new long[readers.length];
        }
        long stamp = ordering.stamp(lane);
        int warp = Timeline.threadOf(readers[granule]) / Operation.LANES;
        int otherWarp = Timeline.threadOf(otherReaders[granule]) / Operation.LANES;
        int ownWarp = Timeline.threadOf(stamp) / Operation.LANES;
        if (ordering.isOrdered(otherReaders[granule], lane) || otherWarp == warp && ownWarp != warp) {
            otherReaders[granule] = stamp;
        }
    }

    /** Notes a write; returns the stamp of a conflicting touch, or zero. Atomic writes do not conflict with one another. */
    long write(int granule, Ordering ordering, int lane, boolean atomic) {
        long writer = writers[granule];
        if (!ordering.isOrdered(writer, lane) && !(atomic && (writer & Timeline.ATOMIC) != 0)) {
            return writer;
        }
        if (!ordering.isOrdered(readers[granule], lane)) {
            return readers[granule];
        }
        if (otherReaders != null && !ordering.isOrdered(otherReaders[granule], lane)) {
            return otherReaders[granule];
        }
        writers[granule] = ordering.stamp(lane) | (atomic ? Timeline.ATOMIC : 0);
        return 0;
    }

    /** Sets the writer of a granule. */
    void setWriter(int granule, long stamp) {
        writers[granule] = stamp;
    }
}
