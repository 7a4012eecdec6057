package io.gpuquant.quantize;

import io.gpuquant.device.AttentionMethod;
import io.gpuquant.device.Blas;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.HostBuffer;
import io.gpuquant.device.MemoryLedger;
import io.gpuquant.device.Stream;
import io.gpuquant.kernels.PtxBlas;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.function.Consumer;

/** A device with matrix products of a test's choice, of which every allocation is shown to the test before anyone sees it. */
record WatchedDevice(Device device, Blas blas, Consumer<DeviceBuffer> onAllocation) implements Device {

    WatchedDevice(Device device, Consumer<DeviceBuffer> onAllocation) {
        this(device, device.blas(), onAllocation);
    }

    /** A device whose matrix products are kernels, too. */
    static WatchedDevice ofKernelsOnly(Device device) {
        return new WatchedDevice(device, new PtxBlas(), buffer -> {});
    }

    /** All of whose memory holds some byte at first, as memory may that others have used. */
    static WatchedDevice filledWith(int value, Device device) {
        return new WatchedDevice(device, buffer -> {
            byte[] bytes = new byte[(int) buffer.byteSize()];
            Arrays.fill(bytes, (byte) value);
            device.stream().copyToDevice(MemorySegment.ofArray(bytes), buffer, 0);
        });
    }

    @Override
    public DeviceBuffer allocate(String name, long bytes) {
        DeviceBuffer buffer = device.allocate(name, bytes);
        onAllocation.accept(buffer);
        return buffer;
    }

    @Override
    public DeviceInfo info() {
        return device.info();
    }

    @Override
    public HostBuffer allocateHost(String name, long bytes) {
        return device.allocateHost(name, bytes);
    }

    @Override
    public Stream stream() {
        return device.stream();
    }

    @Override
    public Stream transferStream() {
        return device.transferStream();
    }

    @Override
    public Stream priorityStream() {
        return device.priorityStream();
    }

    @Override
    public MemoryLedger memory() {
        return device.memory();
    }

    @Override
    public DType operandType(DType checkpointType) {
        return device.operandType(checkpointType);
    }

    @Override
    public AttentionMethod attention() {
        return device.attention();
    }

    @Override
    public void close() {
        device.close();
    }
}
