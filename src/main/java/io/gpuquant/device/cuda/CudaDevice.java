package io.gpuquant.device.cuda;

import io.gpuquant.device.AttentionMethod;
import io.gpuquant.device.Blas;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.HostBuffer;
import io.gpuquant.device.MemoryLedger;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;
import java.lang.foreign.SymbolLookup;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;

/** An NVIDIA GPU. */
final class CudaDevice implements Device {

    /** Smaller numbers are more urgent; a device without priorities has only this one. */
    private static final int USUAL_PRIORITY = 0;

    private final DeviceInfo info;
    private final BlasChoice blasChoice;
    private final AttentionMethod attention;
    private final MemoryLedger ledger;
    private final CloseStack closing = new CloseStack();
    private final CudaContext context;
    private final DeviceHeap heap;
    private final PinnedMemory pinned;
    private final CudaStream computeStream;
    private final CudaStream transferStream;
    private final CudaStream uploadStream;
    private final CudaStream downloadStream;
    private final CudaStream priorityStream;
    private @Nullable Blas blas;

    /**
     * Opens a GPU.
     *
     * @param driver the driver's library, checked
     * @param ordinal the driver's number of the GPU
     */
    CudaDevice(SymbolLookup driver, int ordinal, DeviceInfo info, DeviceOptions options, BlasChoice blasChoice) {
        this.info = info;
        this.blasChoice = blasChoice;
        this.attention = options.attention();
        this.ledger = new MemoryLedger(info.id(), options.memoryLimitBytes());
        try {
            context = new CudaContext(info.id(), ordinal);
            closing.push(context::close);
            context.enter();
            EventPool events = new EventPool(context);
            closing.push(events::close);
            StreamHandle compute = newStream();
            StreamHandle transfer = newStream();
            StreamHandle upload = newStream();
            StreamHandle download = newStream();
            StreamHandle priority = newStream(highestPriority());
            heap = new DeviceHeap(
                    context,
                    events,
                    ledger,
                    compute,
                    DeviceHeap.hasPool(context) ? new MemoryPool(driver, context) : null);
            closing.push(heap::close);
            pinned = new PinnedMemory(driver, context);
            closing.push(pinned::close);
            ModuleCache modules = new ModuleCache(context, heap);
            closing.push(modules::close);
            computeStream = new CudaStream(context, compute, events, heap, pinned, modules);
            transferStream = new CudaStream(context, transfer, events, heap, pinned, modules);
            uploadStream = new CudaStream(context, upload, events, heap, pinned, modules);
            downloadStream = new CudaStream(context, download, events, heap, pinned, modules);
            priorityStream = new CudaStream(context, priority, events, heap, pinned, modules);
        } catch (RuntimeException e) {
            throw closeAfter(e);
        }
    }

    private RuntimeException closeAfter(RuntimeException failure) {
        try {
            closing.close();
        } catch (RuntimeException e) {
            failure.addSuppressed(e);
        }
        return failure;
    }

    private int highestPriority() {
        int[] least = new int[1];
        int[] greatest = new int[1];
        context.check(JCudaDriver.cuCtxGetStreamPriorityRange(least, greatest), "asking for priorities of streams");
        return greatest[0];
    }

    private StreamHandle newStream() {
        return newStream(USUAL_PRIORITY);
    }

    private StreamHandle newStream(int priority) {
        StreamHandle stream = new StreamHandle();
        context.check(
                JCudaDriver.cuStreamCreateWithPriority(stream, CUstream_flags.CU_STREAM_NON_BLOCKING, priority),
                "creating a stream");
        closing.push(() -> context.checkRelease(JCudaDriver.cuStreamDestroy(stream), "destroying a stream"));
        return stream;
    }

    @Override
    public DeviceInfo info() {
        return info;
    }

    @Override
    public DeviceBuffer allocate(String name, long bytes) {
        return heap.allocate(name, bytes);
    }

    @Override
    public HostBuffer allocateHost(String name, long bytes) {
        return pinned.allocate(name, bytes);
    }

    @Override
    public Stream stream() {
        return computeStream;
    }

    @Override
    public Stream transferStream() {
        return transferStream;
    }

    @Override
    public Stream uploadStream() {
        return uploadStream;
    }

    @Override
    public Stream downloadStream() {
        return downloadStream;
    }

    @Override
    public Stream priorityStream() {
        return priorityStream;
    }

    /** cuBLAS, looked for at the first call because loading it takes time that not every run needs to spend; or kernels. */
    @Override
    public Blas blas() {
        Blas known = blas;
        if (known == null) {
            context.enter();
            known = blasChoice.open(this, computeStream, heap, closing);
            blas = known;
        }
        return known;
    }

    @Override
    public MemoryLedger memory() {
        return ledger;
    }

    @Override
    public long freeBytes() {
        return heap.freeBytes();
    }

    /** The type itself: every GPU that can be opened has tensor cores for both half types. */
    @Override
    public DType operandType(DType checkpointType) {
        if (!checkpointType.isComputeType()) {
            throw new IllegalArgumentException("products of " + checkpointType);
        }
        return checkpointType;
    }

    @Override
    public AttentionMethod attention() {
        return attention;
    }

    @Override
    public void close() {
        if (!context.isClosed()) {
            closing.push(context::synchronizeForRelease);
            closing.push(context::enterForRelease);
            closing.close();
        }
    }
}
