package io.gpuquant.job;

import io.gpuquant.device.AttentionMethod;
import io.gpuquant.device.Blas;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.HostBuffer;
import io.gpuquant.device.MemoryLedger;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;

/** A device that has no memory for one thing. */
record FailingDevice(Device device, String missing) implements Device {

    @Override
    public DeviceInfo info() {
        return device.info();
    }

    @Override
    public DeviceBuffer allocate(String name, long bytes) {
        if (name.equals(missing)) {
            throw device.memory().outOfMemory(name, bytes, "this is a test");
        }
        return device.allocate(name, bytes);
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
    public Blas blas() {
        return device.blas();
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
