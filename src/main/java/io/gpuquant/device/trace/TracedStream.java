package io.gpuquant.device.trace;

import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.Event;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.Stream;
import io.gpuquant.device.TimeMark;
import java.lang.foreign.MemorySegment;

/** A stream that notes what is queued on it. */
record TracedStream(Stream stream, StreamTrace trace) implements Stream {

    @Override
    public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
        trace.note("to device: " + target.name(), "copy", () -> stream.copyToDevice(source, target, targetOffset));
    }

    @Override
    public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
        trace.note("to host: " + source.name(), "copy", () -> stream.copyToHost(source, sourceOffset, target));
    }

    @Override
    public void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes) {
        trace.note(
                "copy: " + source.name(), "copy", () -> stream.copy(source, sourceOffset, target, targetOffset, bytes));
    }

    @Override
    public void clear(DeviceBuffer target, long offset, long bytes) {
        trace.note("clear: " + target.name(), "copy", () -> stream.clear(target, offset, bytes));
    }

    @Override
    public void launch(KernelEntry kernel, LaunchShape shape, KernelArguments arguments) {
        trace.note(kernel.name(), "kernel", () -> stream.launch(kernel, shape, arguments));
    }

    @Override
    public Event record() {
        return stream.record();
    }

    @Override
    public TimeMark mark() {
        return stream.mark();
    }

    /** What waits is no part of the work before. */
    @Override
    public void await(Event event) {
        trace.interrupt();
        stream.await(event);
    }

    @Override
    public void synchronize() {
        trace.interrupt();
        stream.synchronize();
    }
}
