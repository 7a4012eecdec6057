package io.gpuquant.device.cuda;

import io.gpuquant.GpuQuantException;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.MemoryLedger;
import java.util.HashMap;
import java.util.Map;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUevent;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;

/**
 * The device's memory. With the driver's memory pool, allocations and releases are themselves work of the compute stream:
 * memory that was released there is handed out again without waiting, and is valid for later work of that stream only. The
 * other stream therefore waits for an allocation before it first uses it, and a release waits for that stream's last use.
 */
final class DeviceHeap {

    /** What the heap knows of a buffer; the events are null where there is nothing to wait for. */
    private static final class Allocation {
        private final String name;
        private final long address;
        private final long bytes;
        private @Nullable CUevent allocated;
        private @Nullable CUevent usedByOther;

        Allocation(String name, long address, long bytes) {
            this.name = name;
            this.address = address;
            this.bytes = bytes;
        }
    }

    private final CudaContext context;
    private final EventPool events;
    private final MemoryLedger ledger;
    private final CUstream compute;
    private final @Nullable MemoryPool pool;
    private final Map<Long, Allocation> allocations = new HashMap<>();
    private @Nullable CUstream other;

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
    DeviceBuffer allocate(String name, long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException(name + " of " + bytes + " bytes");
        }
        context.enter();
        ledger.add(name, bytes);
        DevicePointer pointer = new DevicePointer();
        int result = request(pointer, bytes);
        if (result == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
            // Memory whose release is still queued may be enough.
            context.synchronize();
            result = request(pointer, bytes);
        }
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
        long[] free = new long[1];
        long[] total = new long[1];
        context.check(JCudaDriver.cuMemGetInfo(free, total), "asking for free memory");
        return ledger.outOfMemory(
                name, bytes, String.format("%d of the device's %d MiB are free", free[0] >> 20, total[0] >> 20));
    }

    /**
     * The address of a range of a buffer, for work that the caller is about to queue on {@code stream}.
     *
     * @throws IllegalArgumentException when the buffer is another device's or the range is not inside it
     */
    long beforeUse(DeviceBuffer buffer, long offset, long bytes, CUstream stream) {
        if (offset < 0 || bytes < 0 || bytes > buffer.byteSize() - offset) {
            throw new IllegalArgumentException(
                    "bytes " + offset + " to " + (offset + bytes) + " of device buffer " + buffer);
        }
        Allocation allocation = allocationOf(buffer);
        if (!stream.equals(compute) && allocation.allocated != null) {
            await(stream, allocation.allocated);
            events.giveBack(allocation.allocated);
            allocation.allocated = null;
        }
        return allocation.address + offset;
    }

    /** Says that work on a buffer was queued on {@code stream}. */
    void afterUse(DeviceBuffer buffer, CUstream stream) {
        if (!stream.equals(compute)) {
            Allocation allocation = allocationOf(buffer);
            allocation.usedByOther = events.record(stream, allocation.usedByOther);
        }
    }

    /** Says that a kernel, whose buffers only it knows, is about to be queued on {@code stream}. */
    void beforeKernel(CUstream stream) {
        if (!stream.equals(compute)) {
            awaitAll(stream, compute);
            other = stream;
        }
    }

    /** Says that all work of {@code stream} is done. */
    void afterSynchronize(CUstream stream) {
        if (stream.equals(other)) {
            other = null;
        }
    }

    private Allocation allocationOf(DeviceBuffer buffer) {
        Allocation allocation = allocations.get(buffer.address());
        if (allocation == null) {
            throw new IllegalArgumentException("device buffer " + buffer + " is not of " + context.deviceId());
        }
        return allocation;
    }

    private void release(Allocation allocation) {
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
        if (other != null) {
            awaitAll(compute, other);
        } else if (allocation.usedByOther != null) {
            await(compute, allocation.usedByOther);
        }
    }

    private void free(Allocation allocation) {
        DevicePointer pointer = new DevicePointer(allocation.address);
        int result = pool == null ? JCudaDriver.cuMemFree(pointer) : JCudaDriver.cuMemFreeAsync(pointer, compute);
        context.checkRelease(result, "releasing " + allocation.name);
        if (allocation.allocated != null) {
            events.giveBack(allocation.allocated);
        }
        if (allocation.usedByOther != null) {
            events.giveBack(allocation.usedByOther);
        }
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
    void close() {
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
