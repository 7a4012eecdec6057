package io.gpuquant.device.host;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.random.RandomGenerator;

/** A product of random matrices with gaps between rows and between the matrices of a batch. */
record Product(int m, int n, int k, boolean transposeA, boolean transposeB, int batch) {

    private static final int GAP = 3;

    /**
     * Where an operand lies.
     *
     * @param values all of its buffer
     */
    private record Operand(DeviceMatrix matrix, float[] values, int batchStride) {

        double at(int set, int row, int column) {
            return values[set * batchStride + row * matrix.stride() + column];
        }
    }

    /** Computes the product and compares it with float64, and what is between the rows with what was there. */
    void check(Device device, DType dtype, RandomGenerator random, float alpha, float beta) {
        Operand a = operand(device, random, dtype, transposeA ? k : m, transposeA ? m : k);
        Operand b = operand(device, random, dtype, transposeB ? n : k, transposeB ? k : n);
        Operand c = operand(device, random, DType.F32, m, n);
        if (beta == 0) {
            fillWithNaN(device, c);
        }
        float[] result = multiply(device, a, b, c, alpha, beta);
        for (int set = 0; set < batch; set++) {
            for (int i = 0; i < m; i++) {
                for (int j = 0; j < n; j++) {
                    checkElement(a, b, c, alpha, beta, result, set, i, j);
                }
                requireGapUntouched(c, result, set, i);
            }
        }
        for (Operand operand : new Operand[] {a, b, c}) {
            operand.matrix().buffer().close();
        }
    }

    /** The bits of the result. */
    int[] bits(Device device, DType dtype, RandomGenerator random, float alpha, float beta) {
        Operand a = operand(device, random, dtype, transposeA ? k : m, transposeA ? m : k);
        Operand b = operand(device, random, dtype, transposeB ? n : k, transposeB ? k : n);
        Operand c = operand(device, random, DType.F32, m, n);
        float[] result = multiply(device, a, b, c, alpha, beta);
        int[] bits = new int[result.length];
        for (int i = 0; i < bits.length; i++) {
            bits[i] = Float.floatToRawIntBits(result[i]);
        }
        return bits;
    }

    private float[] multiply(Device device, Operand a, Operand b, Operand c, float alpha, float beta) {
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
        float[] result = new float[c.values().length];
        device.stream().copyToHost(c.matrix().buffer(), 0, MemorySegment.ofArray(result));
        return result;
    }

    private void checkElement(
            Operand a, Operand b, Operand c, float alpha, float beta, float[] result, int set, int row, int column) {
        double sum = 0;
        double magnitude = 0;
        for (int l = 0; l < k; l++) {
            double term = (transposeA ? a.at(set, l, row) : a.at(set, row, l))
                    * (transposeB ? b.at(set, column, l) : b.at(set, l, column));
            sum += term;
            magnitude += Math.abs(term);
        }
        double old = beta == 0 ? 0 : beta * c.at(set, row, column);
        double bound = 0x1p-24 * ((k + 3) * Math.abs(alpha) * magnitude + 2 * Math.abs(old));
        double actual = result[set * c.batchStride() + row * c.matrix().stride() + column];
        assertThat(Math.abs(actual - (alpha * sum + old)))
                .as(this + ", element " + set + ", " + row + ", " + column)
                .isLessThanOrEqualTo(bound);
    }

    private void requireGapUntouched(Operand c, float[] result, int set, int row) {
        for (int i = n; i < n + GAP; i++) {
            int index = set * c.batchStride() + row * c.matrix().stride() + i;
            assertThat(Float.floatToRawIntBits(result[index])).isEqualTo(Float.floatToRawIntBits(c.values()[index]));
        }
    }

    private static void fillWithNaN(Device device, Operand c) {
        java.util.Arrays.fill(c.values(), Float.NaN);
        device.stream()
                .copyToDevice(MemorySegment.ofArray(c.values()), c.matrix().buffer(), 0);
    }

    private Operand operand(Device device, RandomGenerator random, DType dtype, int rows, int columns) {
        int stride = columns + GAP;
        int batchStride = rows * stride + GAP;
        float[] values = HostMatrices.rounded(dtype, HostMatrices.normal(random, batch * batchStride));
        DeviceMatrix all = HostMatrices.put(device, dtype, 1, values.length, values);
        DeviceBuffer buffer = all.buffer();
        return new Operand(new DeviceMatrix(buffer, 0, dtype, rows, columns, stride), values, batchStride);
    }
}
