package io.gpuquant.device.cuda;

import io.gpuquant.device.HostBuffer;
import java.lang.foreign.MemorySegment;
import jcuda.driver.CUevent;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;

/**
 * Pinned memory of one stream through which copies of ordinary memory pass, so that a copy to the device may return as soon
 * as its source has been read. It is used in rounds: a slot is filled again when the device has read it.
 */
final class StagingRing {

    static final int SLOTS = 8;
    static final long SLOT_BYTES = 4L << 20;

    /** Parts of a slot start at multiples of this, which keeps them in separate cache lines. */
    private static final long ALIGNMENT = 64;

    /** Slots that a copy from the device has under way: one arrives while the one before it is being emptied. */
    private static final int SLOTS_TO_HOST = 2;

    private final CudaContext context;
    private final EventPool events;
    private final PinnedMemory pinned;
    private final CUstream stream;
    private final @Nullable CUevent[] lastUse = new CUevent[SLOTS];
    private @Nullable HostBuffer memory;
    private int current;
    private long filled;

    StagingRing(CudaContext context, EventPool events, PinnedMemory pinned, CUstream stream) {
        this.context = context;
        this.events = events;
        this.pinned = pinned;
        this.stream = stream;
    }

    /** Copies all of {@code source}, which may change once this returns, to a device address in the stream's order. */
    void copyToDevice(MemorySegment source, long target) {
        for (long done = 0; done < source.byteSize(); ) {
            if (filled == SLOT_BYTES) {
                nextSlot();
            }
            long bytes = Math.min(SLOT_BYTES - filled, source.byteSize() - done);
            MemorySegment part = slot(current).asSlice(filled, bytes);
            HostCopy.copy(source, done, part, bytes);
            context.check(
                    JCudaDriver.cuMemcpyHtoDAsync(
                            new DevicePointer(target + done), new HostPointer(part), bytes, stream),
                    "copying to the device");
            done += bytes;
            filled = Math.min(SLOT_BYTES, (filled + bytes + ALIGNMENT - 1) & -ALIGNMENT);
        }
    }

    /**
     * Waits for a copy of device memory that fills {@code target}. It may start in a slot whose bytes the device has still
     * to read: it does so before, because both are work of one stream.
     */
    void copyToHost(long source, MemorySegment target) {
        int first = current;
        long size = target.byteSize();
        long chunks = (size + SLOT_BYTES - 1) / SLOT_BYTES;
        for (long chunk = 0; chunk < chunks + SLOTS_TO_HOST - 1; chunk++) {
            if (chunk < chunks) {
                long offset = chunk * SLOT_BYTES;
                MemorySegment part = slot(current).asSlice(0, Math.min(SLOT_BYTES, size - offset));
                context.check(
                        JCudaDriver.cuMemcpyDtoHAsync(
                                new HostPointer(part), new DevicePointer(source + offset), part.byteSize(), stream),
                        "copying from the device");
                nextSlot();
            }
            long arrived = chunk - (SLOTS_TO_HOST - 1);
            if (arrived >= 0) {
                int index = (int) ((first + arrived) % SLOTS);
                await(index);
                long offset = arrived * SLOT_BYTES;
                long bytes = Math.min(SLOT_BYTES, size - offset);
                MemorySegment.copy(slot(index), 0, target, offset, bytes);
            }
        }
    }

    private void nextSlot() {
        lastUse[current] = events.record(stream, lastUse[current]);
        current = (current + 1) % SLOTS;
        filled = 0;
        await(current);
    }

    private void await(int slot) {
        CUevent event = lastUse[slot];
        if (event != null) {
            context.check(JCudaDriver.cuEventSynchronize(event), "waiting for a copy");
        }
    }

    private MemorySegment slot(int index) {
        if (memory == null) {
            memory = pinned.allocate("the copies of one stream", SLOTS * SLOT_BYTES);
        }
        return memory.segment().asSlice(index * SLOT_BYTES, SLOT_BYTES);
    }
}
