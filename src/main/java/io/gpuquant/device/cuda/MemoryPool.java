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
    private final SetAttribute setAttribute;
    private final TrimTo trimTo;
    private final MemorySegment pool;

    MemoryPool(SymbolLookup driver, CudaContext context) {
        this.context = context;
        setAttribute = ForeignFunctions.bind(driver, "cuMemPoolSetAttribute", SetAttribute.class);
        trimTo = ForeignFunctions.bind(driver, "cuMemPoolTrimTo", TrimTo.class);
        GetDefaultPool getDefaultPool =
                ForeignFunctions.bind(driver, "cuDeviceGetDefaultMemPool", GetDefaultPool.class);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = arena.allocate(ValueLayout.ADDRESS);
            context.check(getDefaultPool.call(address, context.ordinal()), "looking for the memory pool");
            pool = address.get(ValueLayout.ADDRESS, 0);
        }
    }

    /** Makes the pool keep all freed memory, so that the next allocation costs no call into the operating system. */
    void keepFreedMemory() {
        context.check(setReleaseThreshold(-1L), "setting up the memory pool");
    }

    /** Gives what is kept and not in use back to the device, as far as its release is known to be done. */
    void giveBackUnused() {
        context.check(trimTo.call(pool, 0), "giving memory back");
    }

    /** Undoes {@link #keepFreedMemory} and gives what the pool holds back to other processes. */
    void returnFreedMemory() {
        context.checkRelease(setReleaseThreshold(0), "giving memory back");
        context.checkRelease(trimTo.call(pool, 0), "giving memory back");
    }

    private int setReleaseThreshold(long bytes) {
        try (Arena arena = Arena.ofConfined()) {
            return setAttribute.call(pool, RELEASE_THRESHOLD, arena.allocateFrom(ValueLayout.JAVA_LONG, bytes));
        }
    }
}
