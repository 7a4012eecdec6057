package io.gpuquant.ptx;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** A piece of global memory: native memory, whose device address is its real address, with guard zones around it. */
public final class Allocation {

    /** Bytes on either side that belong to nobody, so that running over an end does not at once land in a neighbour. */
    private static final int GUARD_BYTES = 512;

    /** The same on a checked machine, where whatever runs over an end must be found: up to as much again as the size. */
    private static final int LEAST_CHECKED_GUARD = 1 << 16;

    private static final int LARGEST_CHECKED_GUARD = 1 << 22;

    static final int ALIGNMENT = 256;

    private final String name;
    private final long base;
    private final long byteSize;
    private final Arena arena;
    private final @Nullable GlobalShadow shadow;
    private volatile boolean live = true;

    @SuppressWarnings("MustBeClosed") // The arena is the allocation, and is closed when that is freed.
    Allocation(String name, long byteSize, boolean checked) {
        this.name = name;
        this.byteSize = byteSize;
        arena = Arena.ofShared();
        long guard = checked ? Math.clamp(align(byteSize), LEAST_CHECKED_GUARD, LARGEST_CHECKED_GUARD) : GUARD_BYTES;
        MemorySegment whole = arena.allocate(byteSize + 2 * guard, ALIGNMENT);
        base = whole.address() + guard;
        shadow = checked ? new GlobalShadow(name, base, byteSize) : null;
    }

    private static long align(long bytes) {
        return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    /** What it holds, for messages. */
    public String name() {
        return name;
    }

    /** The device address of the first byte. */
    public long base() {
        return base;
    }

    /** Size in bytes. */
    public long byteSize() {
        return byteSize;
    }

    boolean contains(long address, long bytes) {
        return live && address >= base && bytes <= byteSize - (address - base);
    }

    boolean isLive() {
        return live;
    }

    /** The checker's notes about every byte, or null on a fast machine. */
    @Nullable
    GlobalShadow shadow() {
        return shadow;
    }

    void free() {
        live = false;
        arena.close();
    }
}
