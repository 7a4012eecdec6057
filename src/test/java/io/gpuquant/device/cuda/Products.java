package io.gpuquant.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;
import java.util.Random;

/** Products of a device against plain row-major loops in float64. */
final class Products {

    /** A matrix with gaps between its rows, on the device and as the host knows it. */
    private record Operand(DeviceMatrix matrix, MemorySegment bytes, long batchStride) {

        double at(int batch, int row, int column) {
            long index = batch * batchStride + (long) row * matrix.stride() + column;
            return Elements.floatAt(bytes, matrix.dtype(), index);
        }
    }

    private Products() {}

    /** Every type, transpose, scale and batch, with strides and offsets that leave gaps. */
    static void requireAll(Device device) {
        int seed = 0;
        for (DType dtype : new DType[] {DType.F32, DType.F16, DType.BF16}) {
            for (boolean transposeA : new boolean[] {false, true}) {
                for (boolean transposeB : new boolean[] {false, true}) {
                    requireProduct(device, new Random(seed++), dtype, transposeA, transposeB, 1, 1, 0);
                    requireProduct(device, new Random(seed++), dtype, transposeA, transposeB, 1, -0.5f, 2);
                    requireProduct(device, new Random(seed++), dtype, transposeA, transposeB, 3, 0.25f, 1);
                }
            }
        }
    }

    private static void requireProduct(
            Device device,
            Random random,
            DType dtype,
            boolean transposeA,
            boolean transposeB,
            int batch,
            float alpha,
            float beta) {
        int m = 5;
        int n = 7;
        int k = 11;
        Operand a = operand(device, random, dtype, transposeA ? k : m, transposeA ? m : k, batch);
        Operand b = operand(device, random, dtype, transposeB ? n : k, transposeB ? k : n, batch);
        Operand c = operand(device, random, DType.F32, m, n, batch);
        if (beta == 0) {
            c.bytes().fill((byte) 0xff);
            device.stream()
                    .copyToDevice(c.bytes(), c.matrix().buffer(), c.matrix().byteOffset());
        }
        Gemm gemm = new Gemm(
                a.matrix(),
                transposeA,
                b.matrix(),
                transposeB,
                c.matrix(),
                alpha,
                beta,
                batch,
                a.batchStride(),
                b.batchStride(),
                c.batchStride(),
                Gemm.Rounding.NONE);
        device.blas().gemm(device.stream(), gemm);
        MemorySegment result = MemorySegment.ofArray(new byte[(int) c.bytes().byteSize()]);
        device.stream().copyToHost(c.matrix().buffer(), c.matrix().byteOffset(), result);
        for (int set = 0; set < batch; set++) {
            for (int i = 0; i < m; i++) {
                for (int j = 0; j < n; j++) {
                    double sum = 0;
                    for (int l = 0; l < k; l++) {
                        sum += (transposeA ? a.at(set, l, i) : a.at(set, i, l))
                                * (transposeB ? b.at(set, j, l) : b.at(set, l, j));
                    }
                    double expected = alpha * sum + (beta == 0 ? 0 : beta * c.at(set, i, j));
                    long index = set * c.batchStride() + (long) i * c.matrix().stride() + j;
                    assertThat((double) Elements.floatAt(result, DType.F32, index))
                            .isCloseTo(expected, within(1e-5));
                }
            }
        }
        requireGapsUntouched(c, result);
    }

    /** What lies between the rows of C is not C's. */
    private static void requireGapsUntouched(Operand c, MemorySegment result) {
        int stride = c.matrix().stride();
        long elements = result.byteSize() / 4;
        for (long index = 0; index < elements; index++) {
            if (index % c.batchStride() % stride >= c.matrix().columns()) {
                assertThat(result.get(Elements.INT, index * 4))
                        .isEqualTo(c.bytes().get(Elements.INT, index * 4));
            }
        }
    }

    private static Operand operand(Device device, Random random, DType dtype, int rows, int columns, int batch) {
        int stride = columns + 1 + random.nextInt(3);
        long batchStride = (long) rows * stride + (long) stride * random.nextInt(2);
        int elements = (int) (batchStride * batch);
        MemorySegment bytes = MemorySegment.ofArray(new byte[elements * dtype.bytes()]);
        for (int i = 0; i < elements; i++) {
            Elements.setFloat(bytes, dtype, i, random.nextFloat() - 0.5f);
        }
        long offset = 64L * random.nextInt(3);
        DeviceMatrix matrix = new DeviceMatrix(
                device.allocate("operand", offset + bytes.byteSize()), offset, dtype, rows, columns, stride);
        device.stream().copyToDevice(bytes, matrix.buffer(), offset);
        return new Operand(matrix, bytes, batchStride);
    }
}
