package io.gpuquant.kernels;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.stream.Stream;

/** A virtual GPU for tests of matrix products, with windows of matrices to and from it. */
final class ProductLab implements AutoCloseable {

    private final Device device;

    ProductLab(MachineOptions options) {
        device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1), options);
    }

    /** The ways a checked machine can run a kernel whose results must not depend on them. */
    static Stream<MachineOptions> checkedModes() {
        return Stream.of(
                MachineOptions.checked(),
                MachineOptions.checked().withSeed(1),
                MachineOptions.checked().withSeed(2),
                MachineOptions.checked().withSplitWarps());
    }

    io.gpuquant.device.Stream stream() {
        return device.stream();
    }

    /** A dense matrix with these values, rounded to the type. */
    DeviceMatrix matrix(String name, DType dtype, int rows, int columns, float... values) {
        return window(name, dtype, rows, columns, columns, 0, values);
    }

    /**
     * A window of a larger matrix with these values, rounded to the type. What lies around its rows stays uninitialised, and
     * nothing lies after it, so that a checked machine sees whoever reads there.
     *
     * @param offset elements before the window
     */
    DeviceMatrix window(String name, DType dtype, int rows, int columns, int stride, int offset, float... values) {
        DeviceMatrix matrix = allocate(name, dtype, rows, columns, stride, offset);
        write(matrix, values);
        return matrix;
    }

    /** The same where all memory around the window holds {@code around}, so that a test sees whoever writes there. */
    DeviceMatrix windowIn(
            float around, String name, DType dtype, int rows, int columns, int stride, int offset, float... values) {
        DeviceMatrix matrix = allocate(name, dtype, rows, columns, stride, offset);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment all = arena.allocate(matrix.buffer().byteSize());
            for (long i = 0; i < all.byteSize() / dtype.bytes(); i++) {
                Elements.setFloat(all, dtype, i, around);
            }
            stream().copyToDevice(all, matrix.buffer(), 0);
        }
        write(matrix, values);
        return matrix;
    }

    private DeviceMatrix allocate(String name, DType dtype, int rows, int columns, int stride, int offset) {
        long elements = rows == 0 ? 0 : (long) (rows - 1) * stride + columns;
        DeviceBuffer buffer = device.allocate(name, Math.max(1, dtype.bytes(offset + elements)));
        return new DeviceMatrix(buffer, dtype.bytes(offset), dtype, rows, columns, stride);
    }

    private void write(DeviceMatrix matrix, float[] values) {
        DType dtype = matrix.dtype();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment row = arena.allocate(dtype.bytes(matrix.columns()));
            for (int i = 0; i < matrix.rows(); i++) {
                for (int j = 0; j < matrix.columns(); j++) {
                    Elements.setFloat(row, dtype, j, values[i * matrix.columns() + j]);
                }
                stream()
                        .copyToDevice(
                                row, matrix.buffer(), matrix.byteOffset() + dtype.bytes((long) i * matrix.stride()));
            }
        }
    }

    /** Everything the buffer of a matrix holds, as elements of its type. */
    float[] everything(DeviceMatrix matrix) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment all = arena.allocate(matrix.buffer().byteSize());
            stream().copyToHost(matrix.buffer(), 0, all);
            float[] values = new float[(int) (all.byteSize() / matrix.dtype().bytes())];
            for (int i = 0; i < values.length; i++) {
                values[i] = Elements.floatAt(all, matrix.dtype(), i);
            }
            return values;
        }
    }

    @Override
    public void close() {
        device.close();
    }
}
