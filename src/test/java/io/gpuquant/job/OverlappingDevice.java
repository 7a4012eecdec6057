package io.gpuquant.job;

import io.gpuquant.device.AttentionMethod;
import io.gpuquant.device.Blas;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.Event;
import io.gpuquant.device.HostBuffer;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.MemoryLedger;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;

/** The virtual GPU with streams for copies that claim to overlap, so that everything is arranged as on a GPU. */
record OverlappingDevice(Device device, Stream transferStream) implements Device {

    OverlappingDevice(Device device) {
        this(device, new OtherStream(device.stream()));
    }

    @Override
    public DeviceInfo info() {
        return device.info();
    }

    @Override
    public DeviceBuffer allocate(String name, long bytes) {
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
    public Stream uploadStream() {
        return transferStream;
    }

    @Override
    public Stream downloadStream() {
        return transferStream;
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

    private record OtherStream(Stream stream) implements Stream {

        @Override
        public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
            stream.copyToDevice(source, target, targetOffset);
        }

        @Override
        public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
            stream.copyToHost(source, sourceOffset, target);
        }

        @Override
        public void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes) {
            stream.copy(source, sourceOffset, target, targetOffset, bytes);
        }

        @Override
        public void clear(DeviceBuffer target, long offset, long bytes) {
            stream.clear(target, offset, bytes);
        }

        @Override
        public void launch(KernelEntry kernel, LaunchShape shape, KernelArguments arguments) {
            stream.launch(kernel, shape, arguments);
        }

        @Override
        public Event record() {
            return stream.record();
        }

        @Override
        public void await(Event event) {
            stream.await(event);
        }

        @Override
        public void synchronize() {
            stream.synchronize();
        }
    }
}
