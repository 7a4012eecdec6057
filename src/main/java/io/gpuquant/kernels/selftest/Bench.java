package io.gpuquant.kernels.selftest;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/** A device with random numbers that are the same for every run of a case, and matrices that live as long as the run. */
final class Bench implements AutoCloseable {

    /** What memory holds before a kernel writes to it, so that what it must leave alone can be told. */
    private static final byte UNTOUCHED = 0x5a;

    private final Device device;
    private final SplittableRandom random;
    private final List<DeviceBuffer> buffers = new ArrayList<>();

    Bench(Device device, Case toRun) {
        this.device = device;
        random = new SplittableRandom(toRun.toString().hashCode());
    }

    Device device() {
        return device;
    }

    Stream stream() {
        return device.stream();
    }

    SplittableRandom random() {
        return random;
    }

    /** Normally distributed numbers. */
    float[] gaussian(int count, double deviation) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) (random.nextGaussian() * deviation);
        }
        return values;
    }

    /** Numbers of all magnitudes that element types have, and some that half types do not have. */
    float[] wide(int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) Math.scalb(random.nextGaussian(), random.nextInt(60) - 40);
        }
        return values;
    }

    /** Integers below {@code bound}. */
    int[] below(int count, int bound) {
        return random.ints(count, 0, bound).toArray();
    }

    /** A permutation. */
    int[] permutation(int count) {
        int[] order = new int[count];
        for (int i = 0; i < count; i++) {
            int other = random.nextInt(i + 1);
            order[i] = order[other];
            order[other] = i;
        }
        return order;
    }

    /** A matrix, and around it memory, with normally distributed numbers. */
    DeviceMatrix gaussian(DType dtype, Layout layout, double deviation) {
        return matrix(dtype, layout, gaussian(layout.elements(), deviation));
    }

    /** A matrix of F32, F16 or BF16 in a buffer of these elements, each rounded to the type. */
    DeviceMatrix matrix(DType dtype, Layout layout, float[] buffer) {
        return matrix(dtype, layout, encoded(dtype, buffer));
    }

    private static MemorySegment encoded(DType dtype, float[] values) {
        MemorySegment bytes = MemorySegment.ofArray(new byte[values.length * dtype.bytes()]);
        for (int i = 0; i < values.length; i++) {
            Elements.setFloat(bytes, dtype, i, values[i]);
        }
        return bytes;
    }

    /** The numbers of a type that are nearest to these. */
    static float[] rounded(DType dtype, float[] values) {
        MemorySegment bytes = encoded(dtype, values);
        float[] rounded = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            rounded[i] = Elements.floatAt(bytes, dtype, i);
        }
        return rounded;
    }

    /** A matrix of U8 in a buffer of integers below {@code bound}. */
    DeviceMatrix codes(Layout layout, int bound) {
        byte[] buffer = new byte[layout.elements()];
        for (int i = 0; i < buffer.length; i++) {
            buffer[i] = (byte) random.nextInt(bound);
        }
        return matrix(DType.U8, layout, MemorySegment.ofArray(buffer));
    }

    /** A dense matrix of I32. */
    DeviceMatrix integers(int rows, int columns, int... values) {
        return matrix(DType.I32, Layout.dense(rows, columns), MemorySegment.ofArray(values));
    }

    /** A row of I32. */
    DeviceMatrix integers(int... values) {
        return integers(1, values.length, values);
    }

    /** A matrix to be written. */
    DeviceMatrix blank(DType dtype, Layout layout) {
        byte[] buffer = new byte[(int) dtype.bytes(layout.elements())];
        Arrays.fill(buffer, UNTOUCHED);
        return matrix(dtype, layout, MemorySegment.ofArray(buffer));
    }

    /** A matrix in a buffer of these bytes. */
    DeviceMatrix matrix(DType dtype, Layout layout, MemorySegment bytes) {
        DeviceBuffer buffer = device.allocate("self-test", bytes.byteSize());
        buffers.add(buffer);
        stream().copyToDevice(bytes, buffer, 0);
        return new DeviceMatrix(
                buffer, dtype.bytes(layout.offset()), dtype, layout.rows(), layout.columns(), layout.stride());
    }

    /** All of the buffer that a matrix lies in, to be equal in every bit. */
    Output read(String name, DeviceMatrix matrix) {
        MemorySegment bytes =
                MemorySegment.ofArray(new byte[(int) matrix.buffer().byteSize()]);
        stream().copyToHost(matrix.buffer(), 0, bytes);
        return new Output(name, matrix.dtype(), bytes, Tolerance.NONE);
    }

    @Override
    public void close() {
        buffers.forEach(DeviceBuffer::close);
    }
}
