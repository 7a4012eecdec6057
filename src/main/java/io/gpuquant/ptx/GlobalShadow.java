package io.gpuquant.ptx;

import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/** What a checked machine knows about every byte of an allocation: whether it was written, and who touched it last. */
final class GlobalShadow {

    private final String name;
    private final long base;
    private final long byteSize;
    private final BitSet initialised;
    private @Nullable AccessHistory history;

    GlobalShadow(String name, long base, long byteSize) {
        if (byteSize > Integer.MAX_VALUE) {
            throw new IllegalArgumentException(
                    "'" + name + "' of " + byteSize + " bytes is too large for a checked machine");
        }
        this.name = name;
        this.base = base;
        this.byteSize = byteSize;
        initialised = new BitSet((int) byteSize);
    }

    void markInitialised(long address, long bytes) {
        int from = (int) (address - base);
        initialised.set(from, from + (int) bytes);
    }

    /** Address of the first byte of a range that was never written, or -1. */
    long firstUninitialised(long address, long bytes) {
        int from = (int) (address - base);
        int clear = initialised.nextClearBit(from);
        return clear < from + bytes ? base + clear : -1;
    }

    void read(long address, int bytes, Access access) {
        long uninitialised = firstUninitialised(address, bytes);
        if (uninitialised >= 0) {
            throw new LaneFault(
                    access.thread() % Operation.LANES,
                    "read of byte " + (uninitialised - base) + " of '" + name + "', which was never written");
        }
        int from = (int) (address - base);
        for (int at = from; at < from + bytes; at++) {
            Access writer = history().read(at, access);
            if (writer != null) {
                throw race(at, access, "read", writer);
            }
        }
    }

    void write(long address, int bytes, Access access, boolean atomic) {
        int from = (int) (address - base);
        for (int at = from; at < from + bytes; at++) {
            Access earlier = history().write(at, access, atomic);
            if (earlier != null) {
                throw race(at, access, "written", earlier);
            }
        }
        initialised.set(from, from + bytes);
    }

    private LaneFault race(int at, Access access, String verb, Access earlier) {
        return new LaneFault(
                access.thread() % Operation.LANES,
                "race: byte " + at + " of '" + name + "' is " + verb + " by " + access + " and was touched by "
                        + earlier + " with no barrier between");
    }

    private AccessHistory history() {
        if (history == null) {
            history = new AccessHistory((int) byteSize);
        }
        return history;
    }
}
