package io.gpuquant.device.cuda;

import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.Event;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.Stream;
import io.gpuquant.device.TimeMark;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.List;
import jcuda.Pointer;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/** A driver stream. */
final class CudaStream implements Stream {

    private final CudaContext context;
    private final StreamHandle handle;
    private final EventPool events;
    private final DeviceHeap heap;
    private final PinnedMemory pinned;
    private final ModuleCache modules;
    private final StagingRing staging;
    private final LaunchTrace trace;
    private final LaunchArguments arguments = new LaunchArguments(Arena.ofAuto());

    CudaStream(
            CudaContext context,
            StreamHandle handle,
            EventPool events,
            DeviceHeap heap,
            PinnedMemory pinned,
            ModuleCache modules) {
        this.context = context;
        this.handle = handle;
        this.events = events;
        this.heap = heap;
        this.pinned = pinned;
        this.modules = modules;
        this.staging = new StagingRing(context, events, pinned, handle);
        this.trace = context.newTrace();
    }

    @Override
    public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
        context.enter();
        long bytes = source.byteSize();
        long address = heap.beforeUse(target, targetOffset, bytes, handle);
        if (bytes == 0) {
            return;
        }
        if (pinned.holds(source)) {
            context.check(
                    JCudaDriver.cuMemcpyHtoDAsync(new DevicePointer(address), new HostPointer(source), bytes, handle),
                    "copying to " + target.name());
        } else {
            staging.copyToDevice(source, address);
        }
        heap.afterUse(target, handle);
    }

    @Override
    public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
        context.enter();
        long bytes = target.byteSize();
        long address = heap.beforeUse(source, sourceOffset, bytes, handle);
        if (bytes == 0) {
            return;
        }
        if (pinned.holds(target)) {
            context.check(
                    JCudaDriver.cuMemcpyDtoHAsync(new HostPointer(target), new DevicePointer(address), bytes, handle),
                    "copying " + source.name() + " from the device");
        } else {
            staging.copyToHost(address, target);
        }
        heap.afterUse(source, handle);
    }

    @Override
    public void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes) {
        context.enter();
        long from = heap.beforeUse(source, sourceOffset, bytes, handle);
        long to = heap.beforeUse(target, targetOffset, bytes, handle);
        if (bytes == 0) {
            return;
        }
        context.check(
                JCudaDriver.cuMemcpyDtoDAsync(new DevicePointer(to), new DevicePointer(from), bytes, handle),
                "copying " + source.name() + " to " + target.name());
        heap.afterUse(source, handle);
        heap.afterUse(target, handle);
    }

    @Override
    public void clear(DeviceBuffer target, long offset, long bytes) {
        context.enter();
        long address = heap.beforeUse(target, offset, bytes, handle);
        if (bytes == 0) {
            return;
        }
        context.check(
                JCudaDriver.cuMemsetD8Async(new DevicePointer(address), (byte) 0, bytes, handle),
                "clearing " + target.name());
        heap.afterUse(target, handle);
    }

    @Override
    public void launch(KernelEntry kernel, LaunchShape shape, KernelArguments kernelArguments) {
        context.enter();
        CudaFunction function = modules.function(kernel);
        List<KernelArguments.Argument> list = kernelArguments.list();
        function.signature().requireFit(list);
        function.allowDynamicShared(shape.dynamicSharedBytes());
        heap.beforeKernel(handle);
        Pointer pointers = arguments.store(list);
        // The driver may load a kernel's code no earlier than now.
        int result = heap.withRoom(() -> JCudaDriver.cuLaunchKernel(
                function.handle(),
                shape.gridX(),
                shape.gridY(),
                shape.gridZ(),
                shape.blockX(),
                1,
                1,
                shape.dynamicSharedBytes(),
                handle,
                pointers,
                null));
        if (result != CUresult.CUDA_SUCCESS) {
            throw context.failure(result, "launching " + kernel + " with " + shape);
        }
        trace.add(kernel);
    }

    @Override
    public Event record() {
        context.enter();
        return new CudaEvent(context, events, events.record(handle));
    }

    @Override
    public TimeMark mark() {
        context.enter();
        CudaTimeMark mark = new CudaTimeMark(context, events.takeTimed(), handle);
        mark.move();
        return mark;
    }

    @Override
    public void await(Event event) {
        context.enter();
        if (event instanceof CudaEvent cudaEvent) {
            try {
                context.check(
                        JCudaDriver.cuStreamWaitEvent(handle, cudaEvent.handle(context), 0),
                        "waiting for another stream");
            } finally {
                // Were it garbage before the call, the driver's event might already mark something else.
                Reference.reachabilityFence(cudaEvent);
            }
        } else if (!event.equals(Event.ALREADY_DONE)) {
            throw new IllegalArgumentException("an event of another kind of device on " + context.deviceId());
        }
    }

    @Override
    public void synchronize() {
        context.enter();
        context.check(JCudaDriver.cuStreamSynchronize(handle), "waiting for queued work");
        trace.clear();
        heap.afterSynchronize(handle);
    }

    StreamHandle handle() {
        return handle;
    }

    /** Says that cuBLAS is about to queue a product here. */
    void beforeProduct(Object product) {
        context.enter();
        heap.beforeKernel(handle);
        trace.add(product);
    }
}
