package io.gpuquant.ptx;

import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/**
 * What a checked machine knows about an allocation of global memory: which bytes were written, and who touched them last.
 * Pages that no kernel has touched take no room.
 */
final class GlobalShadow {

    private static final int PAGE_SHIFT = 12;
    private static final int PAGE_BYTES = 1 << PAGE_SHIFT;

    private final String name;
    private final long base;
    private final long byteSize;
    private final @Nullable Shadow[] pages;

    /** Pages that the host has filled and no kernel has touched. */
    private final BitSet filled = new BitSet();

    GlobalShadow(String name, long base, long byteSize) {
        this.name = name;
        this.base = base;
        this.byteSize = byteSize;
        pages = new Shadow[Math.toIntExact((byteSize + PAGE_BYTES - 1) >> PAGE_SHIFT)];
    }

    /** Notes that the host writes a range. */
    void markInitialised(long address, long bytes) {
        long from = address - base;
        long to = from + bytes;
        while (from < to) {
            int page = (int) (from >> PAGE_SHIFT);
            int offset = (int) from & PAGE_BYTES - 1;
            int count = (int) Math.min(to - from, PAGE_BYTES - offset);
            if (count == pageBytes(page)) {
                pages[page] = null;
                filled.set(page);
            } else {
                page(page, offset, count).setWriter(offset, count, Timeline.HOST);
            }
            from += count;
        }
    }

    private int pageBytes(int page) {
        return (int) Math.min(PAGE_BYTES, byteSize - ((long) page << PAGE_SHIFT));
    }

    /** The notes on a page, made when an access first needs them, with granules as large as that access. */
    private Shadow page(int page, int offset, int size) {
        Shadow shadow = pages[page];
        return shadow == null ? makePage(page, offset, size) : shadow;
    }

    private Shadow makePage(int page, int offset, int size) {
        int bytes = pageBytes(page);
        Shadow shadow = new Shadow(bytes, Shadow.shiftFor(offset | bytes, size));
        if (filled.get(page)) {
            shadow.setWriter(0, bytes, Timeline.HOST);
            filled.clear(page);
        }
        pages[page] = shadow;
        return shadow;
    }

    /** Address of the first byte of a range that was never written, or -1. */
    long firstUninitialised(long address, long bytes) {
        long from = address - base;
        long to = from + bytes;
        while (from < to) {
            int page = (int) (from >> PAGE_SHIFT);
            long start = (long) page << PAGE_SHIFT;
            long clear = start + pageBytes(page);
            Shadow shadow = pages[page];
            if (shadow != null) {
                clear = start + shadow.firstUnwritten((int) (from - start));
            } else if (!filled.get(page)) {
                clear = from;
            }
            if (clear < Math.min(to, start + pageBytes(page))) {
                return base + clear;
            }
            from = start + PAGE_BYTES;
        }
        return -1;
    }

    /** Checks and notes an aligned read by a lane. */
    void read(long address, int bytes, Ordering ordering, int lane) {
        int page = (int) (address - base >> PAGE_SHIFT);
        int offset = (int) (address - base) & PAGE_BYTES - 1;
        Shadow shadow = page(page, offset, bytes);
        int granule = shadow.granule(offset, bytes);
        for (int end = granule + shadow.granules(bytes); granule < end; granule++) {
            if (shadow.writer(granule) == 0) {
                throw new LaneFault(
                        lane,
                        "read of byte " + byteOf(page, shadow, granule) + " of '" + name
                                + "', which was never written");
            }
            long writer = shadow.read(granule, ordering, lane);
            if (writer != 0) {
                throw race(byteOf(page, shadow, granule), "read", lane, ordering, writer);
            }
        }
    }

    /** Checks and notes an aligned write by a lane. */
    void write(long address, int bytes, Ordering ordering, int lane, boolean atomic) {
        int page = (int) (address - base >> PAGE_SHIFT);
        int offset = (int) (address - base) & PAGE_BYTES - 1;
        Shadow shadow = page(page, offset, bytes);
        int granule = shadow.granule(offset, bytes);
        for (int end = granule + shadow.granules(bytes); granule < end; granule++) {
            if (atomic && shadow.writer(granule) == 0) {
                throw new LaneFault(
                        lane,
                        "atomic operation on byte " + byteOf(page, shadow, granule) + " of '" + name
                                + "', which was never written");
            }
            long earlier = shadow.write(granule, ordering, lane, atomic);
            if (earlier != 0) {
                throw race(byteOf(page, shadow, granule), "written", lane, ordering, earlier);
            }
        }
    }

    private static long byteOf(int page, Shadow shadow, int granule) {
        return ((long) page << PAGE_SHIFT) + shadow.offsetOf(granule);
    }

    private LaneFault race(long at, String verb, int lane, Ordering ordering, long earlier) {
        return new LaneFault(
                lane,
                "race: byte " + at + " of '" + name + "' is " + verb + " by " + ordering.describe(ordering.stamp(lane))
                        + " and was touched by " + ordering.describe(earlier) + " with no barrier between");
    }
}
