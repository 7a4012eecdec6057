package io.gpuquant.bench;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.SplittableRandom;

/** Matrices to measure with, given back all at once. */
final class BenchMemory implements AutoCloseable {

    /** Elements that are drawn; larger matrices repeat them. */
    private static final int DRAWN = 1 << 16;

    private final Device device;
    private final SplittableRandom random = new SplittableRandom(1);
    private final Deque<DeviceBuffer> buffers = new ArrayDeque<>();

    BenchMemory(Device device) {
        this.device = device;
    }

    Device device() {
        return device;
    }

    /** A matrix of F32, F16 or BF16 with normally distributed numbers. */
    DeviceMatrix random(DType dtype, int rows, int columns) {
        DeviceMatrix matrix = empty(dtype, rows, columns);
        int count = (int) Math.min(DRAWN, matrix.elementCount());
        MemorySegment drawn = MemorySegment.ofArray(new byte[(int) dtype.bytes(count)]);
        for (int i = 0; i < count; i++) {
            Elements.setFloat(drawn, dtype, i, (float) random.nextGaussian() * 0.05f);
        }
        repeat(matrix, drawn);
        return matrix;
    }

    /** A matrix of U8 or I32 with numbers below {@code bound}. */
    DeviceMatrix below(DType dtype, int rows, int columns, int bound) {
        DeviceMatrix matrix = empty(dtype, rows, columns);
        int count = (int) Math.min(DRAWN, matrix.elementCount());
        MemorySegment drawn;
        if (dtype == DType.U8) {
            byte[] bytes = new byte[count];
            for (int i = 0; i < count; i++) {
                bytes[i] = (byte) random.nextInt(bound);
            }
            drawn = MemorySegment.ofArray(bytes);
        } else {
            drawn = MemorySegment.ofArray(random.ints(count, 0, bound).toArray());
        }
        repeat(matrix, drawn);
        return matrix;
    }

    /** A matrix of F32 with numbers from 0.5 up to 1. */
    DeviceMatrix uniform(int rows, int columns) {
        DeviceMatrix matrix = empty(DType.F32, rows, columns);
        float[] drawn = new float[(int) Math.min(DRAWN, matrix.elementCount())];
        for (int i = 0; i < drawn.length; i++) {
            drawn[i] = random.nextFloat(0.5f, 1);
        }
        repeat(matrix, MemorySegment.ofArray(drawn));
        return matrix;
    }

    /** Numbers of F32 between -1 and 1, ascending in equal steps, in a row. */
    DeviceMatrix ascending(int count) {
        DeviceMatrix matrix = empty(DType.F32, 1, count);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (2 * i + 1f) / count - 1;
        }
        device.stream().copyToDevice(MemorySegment.ofArray(values), matrix);
        return matrix;
    }

    /** Given integers, in a row. */
    DeviceMatrix integers(int... values) {
        DeviceMatrix matrix = empty(DType.I32, 1, values.length);
        device.stream().copyToDevice(MemorySegment.ofArray(values), matrix);
        return matrix;
    }

    /** A symmetric positive definite matrix, as a well-conditioned Gram matrix is, of F32. */
    DeviceMatrix definite(int n) {
        DeviceMatrix matrix = empty(DType.F32, n, n);
        float[] row = new float[n];
        for (int i = 0; i < n; i++) {
            Arrays.fill(row, 0.5f);
            row[i] = 2 + i % 7;
            device.stream().copyToDevice(MemorySegment.ofArray(row), matrix.rows(i, 1));
        }
        return matrix;
    }

    /** A matrix of zeros. */
    DeviceMatrix empty(DType dtype, int rows, int columns) {
        long bytes = dtype.bytes(Math.multiplyExact((long) rows, (long) columns));
        DeviceBuffer buffer = device.allocate("operand of a benchmark", bytes);
        buffers.push(buffer);
        device.stream().clear(buffer, 0, bytes);
        return DeviceMatrix.of(buffer, dtype, rows, columns);
    }

    private void repeat(DeviceMatrix matrix, MemorySegment drawn) {
        DeviceBuffer buffer = matrix.buffer();
        device.stream().copyToDevice(drawn, buffer, 0);
        for (long done = drawn.byteSize(); done < buffer.byteSize(); done *= 2) {
            device.stream().copy(buffer, 0, buffer, done, Math.min(done, buffer.byteSize() - done));
        }
    }

    @Override
    public void close() {
        while (!buffers.isEmpty()) {
            buffers.pop().close();
        }
    }
}
