package io.gpuquant.kernels;

import io.gpuquant.device.Blas;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.tensor.BFloat16;
import io.gpuquant.tensor.DType;
import java.util.Arrays;
import java.util.Random;

/** A matrix product with random operands for tests, and what it should give. */
final class Product {

    /** What fills the memory around C. */
    private static final float AROUND = 12_345f;

    private final DType dtype;
    private final int m;
    private final int n;
    private final int k;
    private boolean transposeA;
    private boolean transposeB;
    private float alpha = 1;
    private float beta;
    private int batch = 1;
    private boolean sharedA;
    private boolean sharedB;
    private int offset;
    private int gap;

    /** {@code C[m, n] = A[m, k] B[k, n]} of dense matrices. */
    Product(DType dtype, int m, int n, int k) {
        this.dtype = dtype;
        this.m = m;
        this.n = n;
        this.k = k;
    }

    Product transposed(boolean a, boolean b) {
        transposeA = a;
        transposeB = b;
        return this;
    }

    Product scaled(float newAlpha, float newBeta) {
        alpha = newAlpha;
        beta = newBeta;
        return this;
    }

    Product batched(int count) {
        batch = count;
        return this;
    }

    /** The products of a batch have the same A, by a batch stride of zero. */
    Product withSharedA() {
        sharedA = true;
        return this;
    }

    /** The products of a batch have the same B, by a batch stride of zero. */
    Product withSharedB() {
        sharedB = true;
        return this;
    }

    /** Matrices lie in larger ones: {@code elementsBefore} the first element, {@code elementsBetween} rows. */
    Product inWindows(int elementsBefore, int elementsBetween) {
        offset = elementsBefore;
        gap = elementsBetween;
        return this;
    }

    int k() {
        return k;
    }

    /** Multiplications of one product. */
    long operations() {
        return (long) m * n * k;
    }

    float alpha() {
        return alpha;
    }

    float beta() {
        return beta;
    }

    /** Computes the product on a device. */
    float[] run(ProductLab lab, Blas blas) {
        int rowsA = transposeA ? k : m;
        int columnsA = transposeA ? m : k;
        int rowsB = transposeB ? n : k;
        int columnsB = transposeB ? k : n;
        DeviceMatrix a = operand(lab, "a", rowsA, columnsA, sharedA);
        DeviceMatrix b = operand(lab, "b", rowsB, columnsB, sharedB);
        DeviceMatrix c = lab.windowIn(AROUND, "c", DType.F32, batch * m, n, n + gap, offset, c());
        Gemm gemm = new Gemm(
                a.rows(0, rowsA),
                transposeA,
                b.rows(0, rowsB),
                transposeB,
                c.rows(0, m),
                alpha,
                beta,
                batch,
                sharedA ? 0 : (long) rowsA * a.stride(),
                sharedB ? 0 : (long) rowsB * b.stride(),
                (long) m * c.stride(),
                Gemm.Rounding.NONE);
        blas.gemm(lab.stream(), gemm);
        float[] result = inside(lab.everything(c), c, AROUND);
        a.buffer().close();
        b.buffer().close();
        c.buffer().close();
        return result;
    }

    private DeviceMatrix operand(ProductLab lab, String name, int rows, int columns, boolean shared) {
        float[] values = name.equals("a") ? a() : b();
        return lab.window(name, dtype, shared ? rows : batch * rows, columns, columns + gap, offset, values);
    }

    /** The elements of a window, after a check that all others are {@code around}. */
    static float[] inside(float[] everything, DeviceMatrix window, float around) {
        float[] values = new float[window.rows() * window.columns()];
        int start = (int) (window.byteOffset() / window.dtype().bytes());
        for (int i = 0; i < everything.length; i++) {
            int row = i < start ? -1 : (i - start) / window.stride();
            int column = i < start ? -1 : (i - start) % window.stride();
            if (row >= 0 && column < window.columns()) {
                values[row * window.columns() + column] = everything[i];
            } else if (everything[i] != around) {
                throw new AssertionError(
                        "element " + i + " outside " + window + " was overwritten with " + everything[i]);
            }
        }
        return values;
    }

    /** The values of A as stored, one matrix after the other. */
    float[] a() {
        return random(1, (sharedA ? 1 : batch) * m * k, dtype);
    }

    /** The values of B as stored, one matrix after the other. */
    float[] b() {
        return random(2, (sharedB ? 1 : batch) * k * n, dtype);
    }

    /** The values of C before the product; NaN where they must not matter. */
    float[] c() {
        float[] values = random(3, batch * m * n, DType.F32);
        if (beta == 0) {
            Arrays.fill(values, Float.NaN);
        }
        return values;
    }

    /** Normally distributed values of this type, of magnitudes that differ. */
    static float[] random(long seed, int count, DType dtype) {
        Random random = new Random(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            float value = (float) Math.scalb(random.nextGaussian(), random.nextInt(7) - 4);
            values[i] = switch (dtype) {
                case F16 -> Float.float16ToFloat(Float.floatToFloat16(value));
                case BF16 -> BFloat16.toFloat(BFloat16.fromFloat(value));
                default -> value;
            };
        }
        return values;
    }

    /** Receives the operands of one element of C. */
    interface Visitor {
        /**
         * Visits an element.
         *
         * @param index of the element in all of C
         * @param row k elements of op(A)
         * @param column k elements of op(B)
         * @param before the element of C
         */
        void element(int index, float[] row, float[] column, float before);
    }

    /** Visits all elements of C. */
    void forEachElement(Visitor visitor) {
        float[] a = a();
        float[] b = b();
        float[] c = c();
        float[] row = new float[k];
        float[] column = new float[k];
        for (int i = 0; i < batch * m; i++) {
            int fromA = sharedA ? 0 : i / m * m * k;
            int fromB = sharedB ? 0 : i / m * k * n;
            for (int j = 0; j < n; j++) {
                for (int l = 0; l < k; l++) {
                    row[l] = a[fromA + (transposeA ? l * m + i % m : i % m * k + l)];
                    column[l] = b[fromB + (transposeB ? j * k + l : l * n + j)];
                }
                visitor.element(i * n + j, row, column, c[i * n + j]);
            }
        }
    }

    @Override
    public String toString() {
        return dtype + " " + m + " x " + n + " x " + k
                + (transposeA ? ", A transposed" : "")
                + (transposeB ? ", B transposed" : "")
                + (alpha == 1 && beta == 0 ? "" : ", alpha " + alpha + ", beta " + beta)
                + (batch == 1
                        ? ""
                        : ", batch of " + batch + (sharedA ? " of one A" : "") + (sharedB ? " of one B" : ""))
                + (offset + gap == 0 ? "" : ", window at " + offset + " with gaps of " + gap);
    }
}
