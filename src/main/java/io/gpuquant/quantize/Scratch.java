package io.gpuquant.quantize;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;

/** Device memory that is given back all at once, also when there is not enough of it for the next piece. */
final class Scratch implements AutoCloseable {

    private final Device device;
    private final Deque<DeviceBuffer> buffers = new ArrayDeque<>();

    Scratch(Device device) {
        this.device = device;
    }

    DeviceBuffer buffer(String name, long bytes) {
        DeviceBuffer buffer = device.allocate(name, bytes);
        buffers.push(buffer);
        return buffer;
    }

    /** A dense matrix. */
    DeviceMatrix matrix(String name, DType dtype, int rows, int columns) {
        long bytes = dtype.bytes(Math.multiplyExact((long) rows, (long) columns));
        return DeviceMatrix.of(buffer(name, bytes), dtype, rows, columns);
    }

    /** A row of integers. */
    DeviceMatrix integers(String name, int... values) {
        DeviceMatrix matrix = matrix(name, DType.I32, 1, values.length);
        device.stream().copyToDevice(MemorySegment.ofArray(values), matrix);
        return matrix;
    }

    /** A row of float32. */
    DeviceMatrix floats(String name, float... values) {
        DeviceMatrix matrix = matrix(name, DType.F32, 1, values.length);
        device.stream().copyToDevice(MemorySegment.ofArray(values), matrix);
        return matrix;
    }

    /** Leaves the memory to whoever has got hold of it. */
    void keep() {
        buffers.clear();
    }

    @Override
    public void close() {
        while (!buffers.isEmpty()) {
            buffers.pop().close();
        }
    }
}
