package io.gpuquant.ptx;

import org.jspecify.annotations.Nullable;

/**
 * The last write to each byte of a piece of memory and the reads since, to find two touches by different threads, one of
 * them a write, with no barrier between.
 *
 * <p>Two readers per byte are enough. Of readers in several warps or blocks, one each of two is kept: a writer conflicts
 * with at least one of them. Of readers in one warp, the latest of two lanes.
 */
final class AccessHistory {

    private final @Nullable Access[] writers;
    private final boolean[] writtenAtomically;
    private final @Nullable Access[] readers;
    private final @Nullable Access[] otherReaders;

    AccessHistory(int bytes) {
        writers = new Access[bytes];
        writtenAtomically = new boolean[bytes];
        readers = new Access[bytes];
        otherReaders = new Access[bytes];
    }

    /** Notes a read; returns the conflicting write, or null. */
    @Nullable
    Access read(int at, Access access) {
        if (conflicts(access, writers[at])) {
            return writers[at];
        }
        Access reader = readers[at];
        Access other = otherReaders[at];
        if (!conflicts(access, reader)) {
            readers[at] = access;
        } else if (!conflicts(access, other) || other.warp() == reader.warp() && access.warp() != reader.warp()) {
            otherReaders[at] = access;
        }
        return null;
    }

    /** Notes a write; returns a conflicting touch, or null. Atomic writes do not conflict with one another. */
    @Nullable
    Access write(int at, Access access, boolean atomic) {
        if (conflicts(access, writers[at]) && !(atomic && writtenAtomically[at])) {
            return writers[at];
        }
        if (conflicts(access, readers[at])) {
            return readers[at];
        }
        if (conflicts(access, otherReaders[at])) {
            return otherReaders[at];
        }
        writers[at] = access;
        writtenAtomically[at] = atomic;
        return null;
    }

    /** Forgets what happened to a byte, when a delivery that was waited for has overwritten it. */
    void forgetWrite(int at) {
        writers[at] = null;
    }

    private static boolean conflicts(Access access, @Nullable Access earlier) {
        return earlier != null && !access.isOrderedAfter(earlier);
    }
}
