package io.gpuquant.device.trace;

import io.gpuquant.device.AttentionMethod;
import io.gpuquant.device.Blas;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.device.HostBuffer;
import io.gpuquant.device.MemoryLedger;
import io.gpuquant.device.Stream;
import io.gpuquant.device.Trace;
import io.gpuquant.tensor.DType;
import java.util.IdentityHashMap;
import java.util.Map;

/** A device whose work is noted in a timeline, by its own clock. */
public final class TracedDevice implements Device {

    private final Device device;
    private final ChromeTrace trace;
    private final StreamTrace.Origin origin;
    private final Map<Stream, TracedStream> streams = new IdentityHashMap<>();
    private final TracedStream stream;
    private final TracedStream transferStream;
    private final TracedStream uploadStream;
    private final TracedStream downloadStream;
    private final TracedStream priorityStream;

    /**
     * @param device closed with this
     */
    public TracedDevice(Device device, ChromeTrace trace) {
        this.device = device;
        this.trace = trace;
        origin = StreamTrace.Origin.now(device.stream());
        stream = traced(device.stream(), "compute");
        transferStream = traced(device.transferStream(), "weights");
        uploadStream = traced(device.uploadStream(), "to device");
        downloadStream = traced(device.downloadStream(), "to host");
        priorityStream = traced(device.priorityStream(), "priority");
    }

    private TracedStream traced(Stream plain, String name) {
        return streams.computeIfAbsent(
                plain,
                added -> new TracedStream(
                        added, new StreamTrace(trace, device.info().id() + " " + name, origin, added)));
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
        return stream;
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

    @Override
    public Trace trace() {
        return trace;
    }

    @Override
    public Blas blas() {
        return new TracedBlas(device.blas());
    }

    @Override
    public MemoryLedger memory() {
        return device.memory();
    }

    @Override
    public long freeBytes() {
        return device.freeBytes();
    }

    @Override
    public DType operandType(DType checkpointType) {
        return device.operandType(checkpointType);
    }

    @Override
    public AttentionMethod attention() {
        return device.attention();
    }

    /** Notes what has not been noted, if the device is well, and closes the device. */
    @Override
    public void close() {
        try (device) {
            for (TracedStream traced : streams.values()) {
                traced.stream().synchronize();
                traced.trace().finish();
            }
        }
    }

    /** Products are noted by their extents. */
    private record TracedBlas(Blas blas) implements Blas {

        @Override
        public String description() {
            return blas.description();
        }

        @Override
        public long bytesPerStream() {
            return blas.bytesPerStream();
        }

        @Override
        public void gemm(Stream queue, Gemm gemm) {
            String batch = gemm.batch() == 1 ? "" : gemm.batch() + " times ";
            String name = "product " + batch + gemm.m() + " x " + gemm.n() + " x " + gemm.k();
            TracedStream traced = (TracedStream) queue;
            traced.trace().note(name, "product", () -> blas.gemm(traced.stream(), gemm));
        }

        @Override
        public void addGram(Stream queue, DeviceMatrix x, DeviceMatrix g) {
            TracedStream traced = (TracedStream) queue;
            traced.trace().note("Gram of " + g.rows(), "product", () -> blas.addGram(traced.stream(), x, g));
        }
    }
}
