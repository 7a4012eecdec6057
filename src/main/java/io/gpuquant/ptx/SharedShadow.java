package io.gpuquant.ptx;

/**
 * What a checked machine knows about the shared memory of a block: who touched it last, to which bytes an asynchronous copy
 * is under way, and which belong to no variable. The latter two are negative writers.
 */
final class SharedShadow {

    private static final long GUARD = Long.MIN_VALUE;
    private static final int GRANULE_SHIFT = 2;

    private final SharedLayout layout;
    private final int dynamicBytes;
    private final int bytes;
    private final Shadow shadow;

    SharedShadow(SharedLayout layout, int dynamicBytes) {
        this.layout = layout;
        this.dynamicBytes = dynamicBytes;
        bytes = layout.totalBytes(dynamicBytes);
        shadow = new Shadow(bytes, Math.min(GRANULE_SHIFT, Shadow.shiftFor(bytes, bytes | 1 << GRANULE_SHIFT)));
    }

    /** Makes it that of a new block. */
    void reset() {
        shadow.clear();
        int at = 0;
        for (SharedLayout.Extent extent : layout.extents(dynamicBytes)) {
            markGuard(at, extent.offset());
            at = extent.offset() + extent.size();
        }
        markGuard(at, bytes);
    }

    private void markGuard(int from, int to) {
        if (from < to) {
            shadow.setWriter(from, to - from, GUARD);
        }
    }

    /** Checks and notes a read by a lane. */
    void read(int address, int size, Ordering ordering, int lane) {
        requireInside(lane, address, size, "load");
        int granule = shadow.granule(address, size);
        for (int end = granule + shadow.granules(size); granule < end; granule++) {
            if (shadow.writer(granule) <= 0) {
                throw unreadable(granule, lane);
            }
            long writer = shadow.read(granule, ordering, lane);
            if (writer != 0) {
                throw race(granule, "read", lane, ordering, writer);
            }
        }
    }

    private LaneFault unreadable(int granule, int lane) {
        long writer = shadow.writer(granule);
        if (writer == GUARD) {
            return outside(shadow.offsetOf(granule), lane, "load");
        }
        String at = "read of shared byte " + describe(shadow.offsetOf(granule));
        return new LaneFault(
                lane,
                writer == 0
                        ? at + ", which was never written"
                        : at + " while a cp.async to it is in flight (cp.async.wait_group is missing)");
    }

    /** Checks and notes a write by a lane. */
    void write(int address, int size, Ordering ordering, int lane, boolean atomic) {
        requireInside(lane, address, size, "store");
        int granule = shadow.granule(address, size);
        for (int end = granule + shadow.granules(size); granule < end; granule++) {
            if (atomic && shadow.writer(granule) == 0) {
                throw unreadable(granule, lane);
            }
            write(granule, ordering, lane, atomic);
        }
    }

    private void write(int granule, Ordering ordering, int lane, boolean atomic) {
        if (shadow.writer(granule) < 0) {
            throw shadow.writer(granule) == GUARD
                    ? outside(shadow.offsetOf(granule), lane, "store")
                    : new LaneFault(
                            lane,
                            "write of shared byte " + describe(shadow.offsetOf(granule))
                                    + " while a cp.async to it is in flight");
        }
        long earlier = shadow.write(granule, ordering, lane, atomic);
        if (earlier != 0) {
            throw race(granule, "written", lane, ordering, earlier);
        }
    }

    /** Checks and notes the start of an asynchronous copy by a lane. */
    void beginCopy(int address, int size, Ordering ordering, int lane) {
        requireInside(lane, address, size, "cp.async");
        int granule = shadow.granule(address, size);
        for (int end = granule + shadow.granules(size); granule < end; granule++) {
            write(granule, ordering, lane, false);
            shadow.setWriter(granule, -shadow.writer(granule));
        }
    }

    /** Notes that an asynchronous copy has arrived and is visible to the lane that waited for it. */
    void endCopy(int address, int size, Ordering ordering, int lane) {
        shadow.setWriter(address, size, ordering.stamp(lane));
    }

    private void requireInside(int lane, int address, int size, String verb) {
        if (address < 0 || address > bytes - size) {
            throw outside(address, lane, verb);
        }
    }

    private String describe(int address) {
        return layout.describe(address, dynamicBytes);
    }

    private LaneFault outside(int address, int lane, String verb) {
        return new LaneFault(lane, verb + " at shared address " + address + ", " + describe(address));
    }

    private LaneFault race(int granule, String verb, int lane, Ordering ordering, long earlier) {
        return new LaneFault(
                lane,
                "race: shared byte " + describe(shadow.offsetOf(granule)) + " is " + verb + " by thread "
                        + Timeline.threadOf(ordering.stamp(lane)) + " and was touched by thread "
                        + Timeline.threadOf(earlier) + " with no barrier between");
    }
}
