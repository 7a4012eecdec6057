package io.gpuquant.model;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Event;
import io.gpuquant.device.HostBuffer;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Activations of all tokens, [tokens, width], chunk by chunk: on the device as a whole, or in memory of this process with
 * one chunk at a time on the device, two where copies overlap with computing: while one is computed with, the next is on its
 * way to the device and the one before on its way back.
 */
public final class ActivationStore implements AutoCloseable {

    /** Where the activations are. */
    public enum Placement {
        DEVICE,
        HOST
    }

    private static final int NONE = -1;

    /** A place on the device for a chunk; it must be waited for before it is used anew. */
    private static final class Slot {
        private final long offset;
        private int arriving = NONE;
        private Event arrival = Event.ALREADY_DONE;
        private Event stored = Event.ALREADY_DONE;

        Slot(long offset) {
            this.offset = offset;
        }
    }

    private final Device device;
    private final Chunking chunking;
    private final DType dtype;
    private final int width;
    private final DeviceBuffer onDevice;
    private final @Nullable HostBuffer onHost;
    private final List<Slot> slots = new ArrayList<>();

    /** Of each chunk, when the copy in memory of this process is what was last stored. */
    private final Event[] kept;

    /**
     * Allocates a store; its content is undefined.
     *
     * @param name what it holds, for messages
     */
    public ActivationStore(Device device, String name, Chunking chunking, DType dtype, int width, Placement placement) {
        this.device = device;
        this.chunking = chunking;
        this.dtype = dtype;
        this.width = width;
        kept = new Event[chunking.count()];
        Arrays.fill(kept, Event.ALREADY_DONE);
        if (placement == Placement.DEVICE) {
            onHost = null;
            onDevice = device.allocate(name, dtype.bytes(chunking.totalTokens() * width));
        } else {
            long slotBytes = dtype.bytes((long) chunking.mostTokens() * width);
            int count = Math.min(chunking.count(), overlaps() ? 2 : 1);
            for (int i = 0; i < count; i++) {
                slots.add(new Slot(i * slotBytes));
            }
            onHost = device.allocateHost(name, dtype.bytes(chunking.totalTokens() * width));
            onDevice = device.allocate(name, count * slotBytes);
        }
    }

    private boolean overlaps() {
        return device.uploadStream() != device.stream();
    }

    /** How the tokens are cut. */
    public Chunking chunking() {
        return chunking;
    }

    /** A chunk with what was last stored in it, [tokens of the chunk, width]. Only one may be out at a time. */
    public DeviceMatrix open(int chunk) {
        if (onHost == null) {
            return place(chunk, hostOffset(chunk));
        }
        Slot slot = slot(chunk);
        if (slot.arriving != chunk) {
            load(slot, chunk);
        }
        slot.arriving = NONE;
        device.stream().await(slot.arrival);
        if (slots.size() > 1 && chunk + 1 < chunking.count()) {
            load(slot(chunk + 1), chunk + 1);
        }
        return place(chunk, slot.offset);
    }

    /** A chunk whose old content is not wanted. */
    public DeviceMatrix create(int chunk) {
        if (onHost == null) {
            return place(chunk, hostOffset(chunk));
        }
        Slot slot = slot(chunk);
        slot.arriving = NONE;
        device.stream().await(slot.arrival);
        device.stream().await(slot.stored);
        return place(chunk, slot.offset);
    }

    /** Keeps what a chunk's matrix now holds; it may still be read, until the next chunk is opened or created. */
    public void store(int chunk, DeviceMatrix matrix) {
        if (onHost == null) {
            return;
        }
        Slot slot = slot(chunk);
        Stream stream = device.downloadStream();
        stream.await(device.stream().record());
        stream.copyToHost(matrix, onHost.segment().asSlice(hostOffset(chunk), matrix.byteSize()));
        slot.stored = stream.record();
        kept[chunk] = slot.stored;
    }

    /** Queues the copy of a chunk into a slot; whatever was queued that uses the slot comes first. */
    private void load(Slot slot, int chunk) {
        DeviceMatrix matrix = place(chunk, slot.offset);
        Stream stream = device.uploadStream();
        stream.await(device.stream().record());
        stream.await(slot.stored);
        stream.await(kept[chunk]);
        HostBuffer host = Objects.requireNonNull(onHost);
        stream.copyToDevice(host.segment().asSlice(hostOffset(chunk), matrix.byteSize()), matrix);
        slot.arrival = stream.record();
        slot.arriving = chunk;
    }

    private Slot slot(int chunk) {
        return slots.get(chunk % slots.size());
    }

    private DeviceMatrix place(int chunk, long offset) {
        return new DeviceMatrix(onDevice, offset, dtype, chunking.tokens(chunk), width, width);
    }

    private long hostOffset(int chunk) {
        return dtype.bytes((long) chunking.firstSequence(chunk) * chunking.sequenceLength() * width);
    }

    @Override
    public void close() {
        onDevice.close();
        if (onHost != null) {
            // A copy may still be reading or writing it.
            device.uploadStream().synchronize();
            device.downloadStream().synchronize();
            onHost.close();
        }
    }
}
