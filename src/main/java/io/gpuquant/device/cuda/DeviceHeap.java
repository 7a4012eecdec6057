package io.gpuquant.device.cuda;

import io.gpuquant.GpuQuantException;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.MemoryLedger;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.IntSupplier;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUevent;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;

/**
 * The device's memory. With the driver's memory pool, allocations and releases are themselves work of the compute stream:
 * memory that was released there is handed out again without waiting, and is valid for later work of that stream only. Other
 * streams therefore wait for an allocation before they first use it, and a release waits for their last uses. Streams may be
 * used by different threads.
 */
final class DeviceHeap {

    /** What the heap knows of a buffer; there is no allocation event where there is nothing to wait for. */
    private static final class Allocation {
        private final String name;
        private final long address;
        private final long bytes;
        private @Nullable CUevent allocated;
        private final Set<CUstream> waited = new HashSet<>();
        private final Map<CUstream, CUevent> otherUses = new HashMap<>();

        Allocation(String name, long address, long bytes) {
            this.name = name;
            this.address = address;
            this.bytes = bytes;
        }
    }

    /** What the driver says of the device's memory, in bytes. */
    private record Memory(long free, long total) {}

    private final CudaContext context;
    private final EventPool events;
    private final MemoryLedger ledger;
    private final CUstream compute;
    private final @Nullable MemoryPool pool;
    private final Map<Long, Allocation> allocations = new HashMap<>();

    /** Streams, not the compute stream, that run or have run kernels, whose buffers only the kernels know. */
    private final Set<CUstream> others = new LinkedHashSet<>();

    /**
     * @param compute the stream that allocations and releases are work of
     * @param pool the device's memory pool, if it has one
     */
    DeviceHeap(
            CudaContext context, EventPool events, MemoryLedger ledger, CUstream compute, @Nullable MemoryPool pool) {
        this.context = context;
        this.events = events;
        this.ledger = ledger;
        this.compute = compute;
        this.pool = pool;
        if (pool != null) {
            pool.keepFreedMemory();
        }
    }

    /** Whether the device has a memory pool; virtual GPUs of some machines have none. */
    static boolean hasPool(CudaContext context) {
        return context.attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED) != 0;
    }

    /** Allocates memory; the driver aligns it to at least 256 bytes. */
    synchronized DeviceBuffer allocate(String name, long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException(name + " of " + bytes + " bytes");
        }
        context.enter();
        ledger.add(name, bytes);
        DevicePointer pointer = new DevicePointer();
        int result = withRoom(() -> request(pointer, bytes));
        if (result != CUresult.CUDA_SUCCESS) {
            ledger.remove(name, bytes);
            throw refusal(result, name, bytes);
        }
        Allocation allocation = new Allocation(name, pointer.address(), bytes);
        allocations.put(allocation.address, allocation);
        if (pool != null) {
            allocation.allocated = events.record(compute);
        }
        return new DeviceBuffer(name, allocation.address, bytes, () -> release(allocation));
    }

    /**
     * The result of a call of the driver, which is made once more with {@link #giveBackUnused} before if there was not enough
     * memory for it.
     */
    int withRoom(IntSupplier call) {
        int result = call.getAsInt();
        if (result == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
            giveBackUnused();
            result = call.getAsInt();
        }
        return result;
    }

    /**
     * Waits for releases that are still queued, and gives what the pool keeps back to the device: the blocks it keeps may all
     * be too small for an allocation, and the driver and libraries cannot use them for theirs.
     */
    synchronized void giveBackUnused() {
        context.enter();
        context.synchronize();
        if (pool != null) {
            pool.giveBackUnused();
        }
    }

    /** Bytes of the device that nobody uses, once releases that are queued are done. */
    synchronized long freeBytes() {
        giveBackUnused();
        return memory().free();
    }

    private Memory memory() {
        long[] free = new long[1];
        long[] total = new long[1];
        context.check(JCudaDriver.cuMemGetInfo(free, total), "asking for free memory");
        return new Memory(free[0], total[0]);
    }

    private int request(DevicePointer pointer, long bytes) {
        long granted = Math.max(bytes, 1);
        return pool == null
                ? JCudaDriver.cuMemAlloc(pointer, granted)
                : JCudaDriver.cuMemAllocAsync(pointer, granted, compute);
    }

    private GpuQuantException refusal(int result, String name, long bytes) {
        if (result != CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
            return context.failure(result, "allocating " + bytes + " bytes for " + name);
        }
        Memory memory = memory();
        return ledger.outOfMemory(
                name, bytes, (memory.free() >> 20) + " of the device's " + (memory.total() >> 20) + " MiB are free");
    }

    /**
     * The address of a range of a buffer, for work that the caller is about to queue on {@code stream}.
     *
     * @throws IllegalArgumentException when the buffer is another device's or the range is not inside it
     */
    synchronized long beforeUse(DeviceBuffer buffer, long offset, long bytes, CUstream stream) {
        if (offset < 0 || bytes < 0 || bytes > buffer.byteSize() - offset) {
            throw new IllegalArgumentException(
                    "bytes " + offset + " to " + (offset + bytes) + " of device buffer " + buffer);
        }
        Allocation allocation = allocationOf(buffer);
        if (!stream.equals(compute) && allocation.allocated != null && allocation.waited.add(stream)) {
            await(stream, allocation.allocated);
        }
        return allocation.address + offset;
    }

    /** Says that work on a buffer was queued on {@code stream}. */
    synchronized void afterUse(DeviceBuffer buffer, CUstream stream) {
        if (!stream.equals(compute)) {
            Allocation allocation = allocationOf(buffer);
            allocation.otherUses.compute(stream, (key, last) -> events.record(stream, last));
        }
    }

    /** Says that a kernel, whose buffers only it knows, is about to be queued on {@code stream}. */
    synchronized void beforeKernel(CUstream stream) {
        if (!stream.equals(compute)) {
            awaitAll(stream, compute);
            others.add(stream);
        }
    }

    /** Says that all work of {@code stream} is done. */
    synchronized void afterSynchronize(CUstream stream) {
        others.remove(stream);
    }

    private Allocation allocationOf(DeviceBuffer buffer) {
        Allocation allocation = allocations.get(buffer.address());
        if (allocation == null) {
            throw new IllegalArgumentException("device buffer " + buffer + " is not of " + context.deviceId());
        }
        return allocation;
    }

    private synchronized void release(Allocation allocation) {
        if (context.isClosed() || !allocations.remove(allocation.address, allocation)) {
            return;
        }
        ledger.remove(allocation.name, allocation.bytes);
        context.enterForRelease();
        if (pool == null) {
            context.synchronizeForRelease();
        } else {
            awaitOtherUses(allocation);
        }
        free(allocation);
    }

    private void awaitOtherUses(Allocation allocation) {
        others.forEach(stream -> awaitAll(compute, stream));
        allocation.otherUses.forEach((stream, lastUse) -> {
            if (!others.contains(stream)) {
                await(compute, lastUse);
            }
        });
    }

    private void free(Allocation allocation) {
        DevicePointer pointer = new DevicePointer(allocation.address);
        int result = pool == null ? JCudaDriver.cuMemFree(pointer) : JCudaDriver.cuMemFreeAsync(pointer, compute);
        context.checkRelease(result, "releasing " + allocation.name);
        if (allocation.allocated != null) {
            events.giveBack(allocation.allocated);
        }
        allocation.otherUses.values().forEach(events::giveBack);
    }

    private void awaitAll(CUstream waiting, CUstream awaited) {
        CUevent event = events.record(awaited);
        await(waiting, event);
        events.giveBack(event);
    }

    private void await(CUstream waiting, CUevent event) {
        context.checkRelease(JCudaDriver.cuStreamWaitEvent(waiting, event, 0), "ordering two streams");
    }

    /** Releases what is still allocated; all work must be done. */
    synchronized void close() {
        for (Allocation allocation : allocations.values()) {
            ledger.remove(allocation.name, allocation.bytes);
            free(allocation);
        }
        allocations.clear();
        if (pool != null) {
            context.synchronizeForRelease();
            pool.returnFreedMemory();
        }
    }
}
