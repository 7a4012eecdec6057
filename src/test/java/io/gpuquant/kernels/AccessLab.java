package io.gpuquant.kernels;

import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Event;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.Stream;
import io.gpuquant.ptx.Allocation;
import io.gpuquant.ptx.LaunchStatistics;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.ptx.VirtualGpu;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;
import java.util.stream.IntStream;

/** A virtual GPU that counts what the kernel launched last did to memory. */
final class AccessLab implements Stream, AutoCloseable {

    private final VirtualGpu gpu = new VirtualGpu(MachineOptions.checked());
    private Optional<LaunchStatistics> last = Optional.empty();

    /** What the last launch did. */
    LaunchStatistics statistics() {
        return last.orElseThrow();
    }

    /** A dense matrix of small numbers; those of square matrices of float32 are largest on the diagonal. */
    DeviceMatrix matrix(DType dtype, int rows, int columns) {
        Allocation allocation = gpu.memory().allocate("test", dtype.bytes((long) rows * columns));
        MemorySegment bytes = gpu.memory().writable(allocation.base(), allocation.byteSize());
        for (int i = 0; i < rows * columns; i++) {
            if (dtype.isComputeType()) {
                boolean diagonal = rows == columns && i % (columns + 1) == 0;
                Elements.setFloat(bytes, dtype, i, diagonal ? 4 : (i % 7 - 3) * 0.01f);
            } else {
                bytes.set(ValueLayout.JAVA_BYTE, i * (long) dtype.bytes(), (byte) (i % 8));
            }
        }
        return DeviceMatrix.of(
                new DeviceBuffer("test", allocation.base(), allocation.byteSize(), () -> {}), dtype, rows, columns);
    }

    /** A row of 32-bit integers from zero on. */
    DeviceMatrix ascending(int count) {
        return integers(IntStream.range(0, count).toArray());
    }

    /** A row of 32-bit integers. */
    DeviceMatrix integers(int... values) {
        DeviceMatrix matrix = matrix(DType.I32, 1, values.length);
        gpu.memory().writable(matrix.address(), matrix.byteSize()).copyFrom(MemorySegment.ofArray(values));
        return matrix;
    }

    /** A row of 32-bit integers that are zero. */
    DeviceMatrix zeros(int count) {
        DeviceMatrix matrix = matrix(DType.I32, 1, count);
        gpu.memory().writable(matrix.address(), matrix.byteSize()).fill((byte) 0);
        return matrix;
    }

    @Override
    public void launch(KernelEntry kernel, LaunchShape shape, KernelArguments arguments) {
        last = Optional.of(gpu.launch(
                        gpu.compile(kernel.module().name(), kernel.module().text())
                                .kernel(kernel.name()),
                        new int[] {shape.gridX(), shape.gridY(), shape.gridZ()},
                        new int[] {shape.blockX(), 1, 1},
                        shape.dynamicSharedBytes(),
                        arguments.toParameterBlock())
                .statistics());
    }

    @Override
    public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void clear(DeviceBuffer target, long offset, long bytes) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Event record() {
        throw new UnsupportedOperationException();
    }

    @Override
    public void await(Event event) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void synchronize() {
        throw new UnsupportedOperationException();
    }

    @Override
    public void close() {
        gpu.close();
    }
}
