package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** One run of kernels from one module on one device, and the matrices it works on. */
final class KernelRun implements AutoCloseable {

    private static final byte UNTOUCHED = 0x5a;

    private final Device device;
    private final KernelModule kernels;
    private final List<DeviceBuffer> buffers = new ArrayList<>();

    KernelRun(Device device, KernelModule kernels) {
        this.device = device;
        this.kernels = kernels;
    }

    Device device() {
        return device;
    }

    Stream stream() {
        return device.stream();
    }

    KernelModule kernels() {
        return kernels;
    }

    /**
     * Where a matrix lies in its buffer.
     *
     * @param offset elements before the first one
     * @param stride elements from row to row
     */
    record Place(int offset, int stride) {}

    /** A dense matrix with these values, each rounded to the type. */
    DeviceMatrix put(DType dtype, int rows, int columns, float[] values) {
        return put(dtype, rows, columns, new Place(0, columns), values);
    }

    /** A window with these values; a checked machine sees to it that nothing between its rows is read. */
    DeviceMatrix put(DType dtype, int rows, int columns, Place place, float[] values) {
        return put(dtype, rows, columns, place, encode(dtype, values));
    }

    /** A window with these bytes. */
    DeviceMatrix put(DType dtype, int rows, int columns, Place place, byte[] bytes) {
        DeviceMatrix matrix = empty(dtype, rows, columns, place);
        fill(matrix, bytes);
        return matrix;
    }

    /** Writes all elements of a matrix, and nothing between its rows. */
    void fill(DeviceMatrix matrix, float... values) {
        fill(matrix, encode(matrix.dtype(), values));
    }

    private void fill(DeviceMatrix matrix, byte[] bytes) {
        long rowBytes = matrix.dtype().bytes((long) matrix.columns());
        for (int r = 0; r < matrix.rows(); r++) {
            stream().copyToDevice(MemorySegment.ofArray(bytes).asSlice(r * rowBytes, rowBytes), matrix.rows(r, 1));
        }
    }

    /** A vector of 32-bit integers. */
    DeviceMatrix put(int... values) {
        DeviceMatrix vector = empty(DType.I32, 1, values.length);
        stream().copyToDevice(MemorySegment.ofArray(values), vector);
        return vector;
    }

    /** A dense matrix that nothing has been written to. */
    DeviceMatrix empty(DType dtype, int rows, int columns) {
        return empty(dtype, rows, columns, new Place(0, columns));
    }

    private DeviceMatrix empty(DType dtype, int rows, int columns, Place place) {
        long elements = place.offset() + (rows == 0 ? 0 : (long) (rows - 1) * place.stride() + columns);
        DeviceBuffer buffer = device.allocate("test matrix", dtype.bytes(elements));
        buffers.add(buffer);
        return new DeviceMatrix(buffer, dtype.bytes((long) place.offset()), dtype, rows, columns, place.stride());
    }

    /** A window in memory that is filled with a pattern. */
    DeviceMatrix patterned(DType dtype, int rows, int columns, Place place) {
        DeviceMatrix matrix = empty(dtype, rows, columns, place);
        byte[] pattern = new byte[(int) matrix.buffer().byteSize()];
        Arrays.fill(pattern, UNTOUCHED);
        stream().copyToDevice(MemorySegment.ofArray(pattern), matrix.buffer(), 0);
        return matrix;
    }

    /** Fails if anything but the elements of a window of patterned memory has been written. */
    void requireUntouchedAround(DeviceMatrix matrix) {
        byte[] bytes = new byte[(int) matrix.buffer().byteSize()];
        stream().copyToHost(matrix.buffer(), 0, MemorySegment.ofArray(bytes));
        int width = matrix.dtype().bytes();
        for (int i = 0; i < bytes.length; i++) {
            long element = (i - matrix.byteOffset()) / width;
            boolean inside = i >= matrix.byteOffset() && element % matrix.stride() < matrix.columns();
            if (!inside) {
                assertThat(bytes[i]).as("byte " + i + " of " + matrix).isEqualTo(UNTOUCHED);
            }
        }
    }

    /** The elements of a matrix, row by row. */
    float[] values(DeviceMatrix matrix) {
        return decode(matrix.dtype(), bytes(matrix));
    }

    /** The bytes of the elements of a matrix, row by row. */
    byte[] bytes(DeviceMatrix matrix) {
        byte[] bytes = new byte[(int) matrix.byteSize()];
        long rowBytes = matrix.dtype().bytes((long) matrix.columns());
        for (int r = 0; r < matrix.rows(); r++) {
            stream().copyToHost(matrix.rows(r, 1), MemorySegment.ofArray(bytes).asSlice(r * rowBytes, rowBytes));
        }
        stream().synchronize();
        return bytes;
    }

    /** Floats as elements of a type. */
    static byte[] encode(DType dtype, float... values) {
        byte[] bytes = new byte[(int) dtype.bytes((long) values.length)];
        for (int i = 0; i < values.length; i++) {
            Elements.setFloat(MemorySegment.ofArray(bytes), dtype, i, values[i]);
        }
        return bytes;
    }

    private static float[] decode(DType dtype, byte[] bytes) {
        float[] values = new float[bytes.length / dtype.bytes()];
        for (int i = 0; i < values.length; i++) {
            values[i] = Elements.floatAt(MemorySegment.ofArray(bytes), dtype, i);
        }
        return values;
    }

    /** The values that elements of a type can have nearest to these. */
    static float[] rounded(DType dtype, float... values) {
        return decode(dtype, encode(dtype, values));
    }

    @Override
    public void close() {
        buffers.forEach(DeviceBuffer::close);
    }
}
