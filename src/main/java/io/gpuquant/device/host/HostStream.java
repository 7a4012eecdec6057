package io.gpuquant.device.host;

import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.Event;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.Stream;
import io.gpuquant.ptx.PtxModule;
import io.gpuquant.ptx.VirtualGpu;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The only stream of the host device: everything is done before the call returns. */
final class HostStream implements Stream {

    private final VirtualGpu gpu;
    private final Map<KernelModule, PtxModule> modules = new ConcurrentHashMap<>();

    HostStream(VirtualGpu gpu) {
        this.gpu = gpu;
    }

    @Override
    public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
        long address = address(target, targetOffset, source.byteSize());
        if (source.byteSize() > 0) {
            gpu.memory().writable(address, source.byteSize()).copyFrom(source);
        }
    }

    @Override
    public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
        long address = address(source, sourceOffset, target.byteSize());
        if (target.byteSize() > 0) {
            target.copyFrom(gpu.memory().readable(address, target.byteSize()));
        }
    }

    @Override
    public void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes) {
        long from = address(source, sourceOffset, bytes);
        long to = address(target, targetOffset, bytes);
        if (bytes > 0) {
            gpu.memory().writable(to, bytes).copyFrom(gpu.memory().readable(from, bytes));
        }
    }

    @Override
    public void clear(DeviceBuffer target, long offset, long bytes) {
        long address = address(target, offset, bytes);
        if (bytes > 0) {
            gpu.memory().writable(address, bytes).fill((byte) 0);
        }
    }

    /** The memory itself knows only whether a range is inside some buffer, which may be a neighbour of the one that is meant. */
    private static long address(DeviceBuffer buffer, long offset, long bytes) {
        if (offset < 0 || bytes < 0 || bytes > buffer.byteSize() - offset) {
            throw new IllegalArgumentException(
                    "bytes " + offset + " to " + (offset + bytes) + " of device buffer " + buffer);
        }
        return buffer.address() + offset;
    }

    @Override
    public void launch(KernelEntry kernel, LaunchShape shape, KernelArguments arguments) {
        PtxModule module =
                modules.computeIfAbsent(kernel.module(), source -> gpu.compile(source.name(), source.text()));
        gpu.launch(
                module.kernel(kernel.name()),
                new int[] {shape.gridX(), shape.gridY(), shape.gridZ()},
                new int[] {shape.blockX(), 1, 1},
                shape.dynamicSharedBytes(),
                arguments.toParameterBlock());
    }

    @Override
    public Event record() {
        return Event.ALREADY_DONE;
    }

    @Override
    public void await(Event event) {
        event.synchronize();
    }

    @Override
    public void synchronize() {
        // Nothing is ever pending.
    }
}
