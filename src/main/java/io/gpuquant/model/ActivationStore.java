package io.gpuquant.model;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.HostBuffer;
import io.gpuquant.tensor.DType;
import org.jspecify.annotations.Nullable;

/**
 * Activations of all tokens, [tokens, width], chunk by chunk: on the device as a whole, or in memory of this process with
 * one chunk at a time on the device.
 */
public final class ActivationStore implements AutoCloseable {

    /** Where the activations are. */
    public enum Placement {
        DEVICE,
        HOST
    }

    private final Device device;
    private final Chunking chunking;
    private final DType dtype;
    private final int width;
    private final DeviceBuffer onDevice;
    private final @Nullable HostBuffer onHost;

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
        if (placement == Placement.DEVICE) {
            onHost = null;
            onDevice = device.allocate(name, dtype.bytes(chunking.totalTokens() * width));
        } else {
            onHost = device.allocateHost(name, dtype.bytes(chunking.totalTokens() * width));
            onDevice = device.allocate(name, dtype.bytes((long) chunking.mostTokens() * width));
        }
    }

    /** How the tokens are cut. */
    public Chunking chunking() {
        return chunking;
    }

    /** A chunk with what was last stored in it, [tokens of the chunk, width]. Only one may be out at a time. */
    public DeviceMatrix open(int chunk) {
        DeviceMatrix matrix = place(chunk);
        if (onHost != null) {
            device.stream().copyToDevice(onHost.segment().asSlice(hostOffset(chunk), matrix.byteSize()), matrix);
        }
        return matrix;
    }

    /** A chunk whose old content is not wanted. */
    public DeviceMatrix create(int chunk) {
        return place(chunk);
    }

    /** Keeps what a chunk's matrix now holds. */
    public void store(int chunk, DeviceMatrix matrix) {
        if (onHost != null) {
            device.stream().copyToHost(matrix, onHost.segment().asSlice(hostOffset(chunk), matrix.byteSize()));
        }
    }

    private DeviceMatrix place(int chunk) {
        long offset = onHost == null ? hostOffset(chunk) : 0;
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
            device.stream().synchronize();
            onHost.close();
        }
    }
}
