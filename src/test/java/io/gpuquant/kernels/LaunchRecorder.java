package io.gpuquant.kernels;

import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.Event;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.Stream;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** A stream that notes what is launched, and does nothing. */
final class LaunchRecorder implements Stream {

    /** One launch. */
    record Launch(KernelEntry kernel, LaunchShape shape, KernelArguments arguments) {

        /** The bits of an argument. */
        long argument(int index) {
            return arguments.list().get(index).bits();
        }
    }

    private final List<Launch> launches = new ArrayList<>();

    List<Launch> launches() {
        return launches;
    }

    @Override
    public void launch(KernelEntry kernel, LaunchShape shape, KernelArguments arguments) {
        launches.add(new Launch(kernel, shape, arguments));
    }

    @Override
    public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void clear(DeviceBuffer target, long offset, long bytes) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Event record() {
        throw new UnsupportedOperationException();
    }

    @Override
    public void await(Event event) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void synchronize() {
        throw new UnsupportedOperationException();
    }
}
