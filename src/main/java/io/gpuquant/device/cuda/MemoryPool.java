package io.gpuquant.device.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;

/**
 * How much freed memory a device's default pool, the one that {@code cuMemAllocAsync} takes from, keeps for the next
 * allocation. JCuda has no functions for that.
 */
final class MemoryPool {

    /** {@code CU_MEMPOOL_ATTR_RELEASE_THRESHOLD}: bytes a pool keeps when a stream is synchronized; zero at first. */
    private static final int RELEASE_THRESHOLD = 4;

    public interface GetDefaultPool {
        int call(MemorySegment pool, int device);
    }

    public interface SetAttribute {
        int call(MemorySegment pool, int attribute, MemorySegment value);
    }

    public interface TrimTo {
        int call(MemorySegment pool, long bytesToKeep);
    }

    private final CudaContext context;
    private final GetDefaultPool getDefaultPool;
    private final SetAttribute setAttribute;
    private final TrimTo trimTo;

    MemoryPool(SymbolLookup driver, CudaContext context) {
        this.context = context;
        getDefaultPool = ForeignFunctions.bind(driver, "cuDeviceGetDefaultMemPool", GetDefaultPool.class);
        setAttribute = ForeignFunctions.bind(driver, "cuMemPoolSetAttribute", SetAttribute.class);
        trimTo = ForeignFunctions.bind(driver, "cuMemPoolTrimTo", TrimTo.class);
    }

    /** Makes the pool keep all freed memory, so that the next allocation costs no call into the operating system. */
    void keepFreedMemory() {
        try (Arena arena = Arena.ofConfined()) {
            setReleaseThreshold(arena, pool(arena), -1L);
        }
    }

    /** Undoes {@link #keepFreedMemory} and gives what the pool holds back to other processes. */
    void returnFreedMemory() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment pool = pool(arena);
            setReleaseThreshold(arena, pool, 0);
            context.check(trimTo.call(pool, 0), "shrinking the memory pool");
        }
    }

    private MemorySegment pool(Arena arena) {
        MemorySegment pool = arena.allocate(ValueLayout.ADDRESS);
        context.check(getDefaultPool.call(pool, context.ordinal()), "looking for the memory pool");
        return pool.get(ValueLayout.ADDRESS, 0);
    }

    private void setReleaseThreshold(Arena arena, MemorySegment pool, long bytes) {
        MemorySegment value = arena.allocateFrom(ValueLayout.JAVA_LONG, bytes);
        context.check(setAttribute.call(pool, RELEASE_THRESHOLD, value), "setting up the memory pool");
    }
}
