package io.gpuquant.device.host;

import io.gpuquant.device.AttentionMethod;
import io.gpuquant.device.Blas;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.HostBuffer;
import io.gpuquant.device.MemoryLedger;
import io.gpuquant.device.Stream;
import io.gpuquant.ptx.Allocation;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.ptx.VirtualGpu;
import io.gpuquant.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashSet;
import java.util.Set;

/** This machine's processor as a device: the virtual GPU runs the kernels, OpenBLAS the matrix products. */
public final class HostDevice implements Device {

    private final DeviceInfo info;
    private final VirtualGpu gpu;
    private final WorkerThreads workers;
    private final HostBlas blas;
    private final AttentionMethod attention;
    private final HostStream stream;
    private final MemoryLedger ledger;
    private final Set<DeviceBuffer> buffers = new HashSet<>();
    private final Set<HostBuffer> hostBuffers = new HashSet<>();

    private HostDevice(DeviceOptions options, MachineOptions machine, int index) {
        OpenBlas library = OpenBlas.load();
        info = HostInfo.describe(index, options.threads(), library.configuration());
        gpu = new VirtualGpu(machine);
        workers = new WorkerThreads(options.threads());
        blas = new HostBlas(library, gpu.memory(), workers);
        stream = new HostStream(gpu);
        attention = options.attention();
        // Memory that the machine does not have may be granted all the same, and the process be killed when it is used.
        ledger = new MemoryLedger(info.id(), Math.min(options.memoryLimitBytes(), info.memoryBytes()));
    }

    /** The device that the product computes with. */
    public static HostDevice open(DeviceOptions options) {
        return open(options, 0);
    }

    /** One of several devices that the product computes with. */
    static HostDevice open(DeviceOptions options, int index) {
        return new HostDevice(options, MachineOptions.fast(options.threads()), index);
    }

    /** A device whose virtual GPU runs as told, for tests of kernels. */
    public static HostDevice open(DeviceOptions options, MachineOptions machine) {
        return new HostDevice(options, machine, 0);
    }

    @Override
    public DeviceInfo info() {
        return info;
    }

    @Override
    public synchronized DeviceBuffer allocate(String name, long bytes) {
        requireSize(name, bytes);
        ledger.add(name, bytes);
        Allocation allocation;
        try {
            allocation = gpu.memory().allocate(name, bytes);
        } catch (OutOfMemoryError exhausted) {
            ledger.remove(name, bytes);
            throw ledger.outOfMemory(name, bytes, "this machine gives no more");
        }
        DeviceBuffer[] self = new DeviceBuffer[1];
        self[0] = new DeviceBuffer(name, allocation.base(), bytes, () -> release(self[0], allocation));
        buffers.add(self[0]);
        return self[0];
    }

    private synchronized void release(DeviceBuffer buffer, Allocation allocation) {
        buffers.remove(buffer);
        gpu.memory().free(allocation);
        ledger.remove(buffer.name(), buffer.byteSize());
    }

    @Override
    @SuppressWarnings("MustBeClosed") // The arena is the buffer, and is closed with it.
    public synchronized HostBuffer allocateHost(String name, long bytes) {
        requireSize(name, bytes);
        Arena arena = Arena.ofShared();
        MemorySegment segment;
        try {
            segment = arena.allocate(bytes, 64);
        } catch (OutOfMemoryError exhausted) {
            arena.close();
            throw ledger.outOfMemory(name, bytes, "this machine gives no more");
        }
        HostBuffer[] self = new HostBuffer[1];
        self[0] = new HostBuffer(segment, () -> release(self[0], arena));
        hostBuffers.add(self[0]);
        return self[0];
    }

    private synchronized void release(HostBuffer buffer, Arena arena) {
        hostBuffers.remove(buffer);
        arena.close();
    }

    private static void requireSize(String name, long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException(name + " of " + bytes + " bytes");
        }
    }

    @Override
    public Stream stream() {
        return stream;
    }

    @Override
    public Stream transferStream() {
        return stream;
    }

    @Override
    public Blas blas() {
        return blas;
    }

    @Override
    public MemoryLedger memory() {
        return ledger;
    }

    @Override
    public DType operandType(DType checkpointType) {
        return DType.F32;
    }

    @Override
    public AttentionMethod attention() {
        return attention;
    }

    @Override
    public void close() {
        for (DeviceBuffer buffer : Set.copyOf(buffers)) {
            buffer.close();
        }
        for (HostBuffer buffer : Set.copyOf(hostBuffers)) {
            buffer.close();
        }
        workers.close();
        gpu.close();
    }
}
