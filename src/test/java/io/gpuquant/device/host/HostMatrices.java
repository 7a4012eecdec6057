package io.gpuquant.device.host;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;
import java.util.random.RandomGenerator;

/** Arrays to and from a device. */
final class HostMatrices {

    private HostMatrices() {}

    static float[] normal(RandomGenerator random, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    /** The values nearest to these that elements of a type can have. */
    static float[] rounded(DType dtype, float... values) {
        byte[] bytes = encode(dtype, values);
        float[] result = new float[values.length];
        for (int i = 0; i < result.length; i++) {
            result[i] = Elements.floatAt(MemorySegment.ofArray(bytes), dtype, i);
        }
        return result;
    }

    /** A dense matrix on the device. */
    static DeviceMatrix put(Device device, DType dtype, int rows, int columns, float... values) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, "matrix", dtype, rows, columns);
        device.stream().copyToDevice(MemorySegment.ofArray(encode(dtype, values)), matrix);
        return matrix;
    }

    /** All elements of a dense F32 matrix. */
    static float[] get(Device device, DeviceMatrix matrix) {
        float[] values = new float[Math.toIntExact(matrix.elementCount())];
        device.stream().copyToHost(matrix, MemorySegment.ofArray(values));
        return values;
    }

    private static byte[] encode(DType dtype, float... values) {
        byte[] bytes = new byte[values.length * dtype.bytes()];
        for (int i = 0; i < values.length; i++) {
            Elements.setFloat(MemorySegment.ofArray(bytes), dtype, i, values[i]);
        }
        return bytes;
    }
}
