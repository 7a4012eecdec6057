package io.gpuquant.device.cuda;

import io.gpuquant.ResourceException;
import io.gpuquant.device.HostBuffer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/** Memory of this process that the driver has pinned, so that the device copies from and to it by itself. */
final class PinnedMemory {

    public interface HostAlloc {
        int call(MemorySegment address, long bytes, int flags);
    }

    /** A pinned range; closing its arena makes later uses of the memory fail in Java instead of in the process. */
    private static final class Range {
        private final long address;
        private final Arena arena = Arena.ofShared();
        private final MemorySegment memory;

        @SuppressWarnings("restricted")
        Range(long address, long bytes) {
            this.address = address;
            this.memory = MemorySegment.ofAddress(address).reinterpret(bytes, arena, null);
        }
    }

    private final CudaContext context;
    private final HostAlloc hostAlloc;
    private final ConcurrentSkipListMap<Long, Range> ranges = new ConcurrentSkipListMap<>();

    PinnedMemory(SymbolLookup driver, CudaContext context) {
        this.context = context;
        // JCuda wraps what it allocates in a buffer, which cannot hold 2 GiB.
        this.hostAlloc = ForeignFunctions.bind(driver, "cuMemHostAlloc", HostAlloc.class);
    }

    /**
     * Allocates pinned memory.
     *
     * @throws ResourceException when the operating system does not grant it
     */
    HostBuffer allocate(String name, long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException(name + " of " + bytes + " bytes");
        }
        context.enter();
        Range range = new Range(pin(name, Math.max(bytes, 1)), bytes);
        ranges.put(range.address, range);
        return new HostBuffer(range.memory, () -> release(range));
    }

    /** Whether all of the segment is pinned memory of this device. */
    boolean holds(MemorySegment segment) {
        if (!segment.isNative()) {
            return false;
        }
        Map.Entry<Long, Range> entry = ranges.floorEntry(segment.address());
        return entry != null
                && segment.address() - entry.getKey() + segment.byteSize()
                        <= entry.getValue().memory.byteSize();
    }

    private long pin(String name, long bytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = arena.allocate(ValueLayout.JAVA_LONG);
            int result = hostAlloc.call(address, bytes, 0);
            if (result == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
                throw new ResourceException("not enough memory for " + name + ": " + bytes
                        + " bytes of page-locked memory were refused; lower --samples or --sequence-length, or close other"
                        + " programs");
            }
            context.check(result, "pinning memory for " + name);
            return address.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    private void release(Range range) {
        if (!context.isClosed() && ranges.remove(range.address) != null) {
            context.enterForRelease();
            try {
                // Copies that were queued may still read it or write to it.
                context.synchronizeForRelease();
            } finally {
                free(range);
            }
        }
    }

    private void free(Range range) {
        MemorySegment memory = MemorySegment.ofAddress(range.address);
        range.arena.close();
        context.checkRelease(JCudaDriver.cuMemFreeHost(new HostPointer(memory)), "unpinning memory");
    }

    /** Frees what is still allocated; no copy may be under way. */
    void close() {
        ranges.values().forEach(this::free);
        ranges.clear();
    }
}
