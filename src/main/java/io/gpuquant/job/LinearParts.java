package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** What linears are packed into: device memory that is given back on closing, and the way to the output. */
final class LinearParts implements AutoCloseable {

    private final Device device;
    private final ResultOutput output;
    private final ConvertKernels convert;
    private final List<DeviceBuffer> owned = new ArrayList<>();

    LinearParts(Device device, ResultOutput output) {
        this.device = device;
        this.output = output;
        convert = new ConvertKernels(device.stream());
    }

    DeviceMatrix allocate(String name, DType dtype, int rows, int columns) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, name, dtype, rows, columns);
        owned.add(matrix.buffer());
        return matrix;
    }

    DeviceMatrix upload(String name, int[] values) {
        DeviceMatrix matrix = allocate(name, DType.I32, 1, values.length);
        device.stream().copyToDevice(MemorySegment.ofArray(values), matrix);
        return matrix;
    }

    /** The scales of one linear, out of those of all linears of a stage. */
    DeviceMatrix dense(DeviceMatrix scales) {
        DeviceMatrix dense = allocate("scales of a linear", DType.F16, scales.rows(), scales.columns());
        convert.copy(scales, dense);
        return dense;
    }

    /** Writes a dense matrix, which must not be changed any more. */
    void write(String tensor, DeviceMatrix matrix) {
        output.send(tensor, matrix);
    }

    /**
     * Writes scales with an output feature's side by side.
     *
     * @param scales F16 [groups, out], dense
     * @param dtype in which they are written, and which holds them exactly
     * @param stride how many there are of an output feature; those beyond the groups are zero
     */
    void writeTransposed(String tensor, DeviceMatrix scales, DType dtype, int stride) {
        int out = scales.columns();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment values = download(scales, arena);
            MemorySegment transposed = arena.allocate(dtype.bytes((long) out * stride));
            for (int group = 0; group < scales.rows(); group++) {
                for (int i = 0; i < out; i++) {
                    float scale = Elements.floatAt(values, scales.dtype(), (long) group * out + i);
                    Elements.setFloat(transposed, dtype, (long) i * stride + group, scale);
                }
            }
            output.send(tensor, transposed);
        }
    }

    private MemorySegment download(DeviceMatrix matrix, Arena arena) {
        MemorySegment bytes = arena.allocate(matrix.byteSize());
        device.stream().copyToHost(matrix, bytes);
        device.stream().synchronize();
        return bytes;
    }

    @Override
    public void close() {
        owned.forEach(DeviceBuffer::close);
    }
}
