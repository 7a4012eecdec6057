package io.gpuquant.kernels.selftest;

import io.gpuquant.device.Blas;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.tensor.DType;

/**
 * A matrix product with random operands, in windows of larger matrices.
 *
 * @param gap elements between rows; with none all is dense
 * @param beta what C is multiplied by before the product, times {@link #ALPHA}, is added
 */
record Product(
        DType dtype, int m, int n, int k, boolean transposeA, boolean transposeB, int gap, int batch, float beta) {

    /** Not a power of two, so that a product that is scaled at the wrong time shows. */
    static final float ALPHA = 0.75f;

    /** One product of dense matrices of which the second is transposed, as activations times weights are. */
    static Product dense(DType dtype, int m, int n, int k) {
        return new Product(dtype, m, n, k, false, true, 0, 1, 0);
    }

    /** Operands on the device, and what C must be. */
    final class Operands {

        private final Bench bench;
        private final float[] a;
        private final float[] b;
        private final float[] c;

        private Operands(Bench bench) {
            this.bench = bench;
            a = Bench.rounded(dtype, bench.gaussian(batch * layoutA().elements(), 1));
            b = Bench.rounded(dtype, bench.gaussian(batch * layoutB().elements(), 1));
            c = bench.gaussian(batch * layoutC().elements(), 1);
        }

        /** Computes on the device. */
        Output multiply(Blas blas) {
            return multiply(blas, Gemm.Rounding.NONE);
        }

        /** Computes on the device. */
        Output multiply(Blas blas, Gemm.Rounding rounding) {
            DeviceMatrix deviceA = bench.matrix(dtype, layoutA(), a);
            DeviceMatrix deviceB = bench.matrix(dtype, layoutB(), b);
            DeviceMatrix deviceC = bench.matrix(DType.F32, layoutC(), c);
            Gemm gemm = new Gemm(
                    deviceA,
                    transposeA,
                    deviceB,
                    transposeB,
                    deviceC,
                    ALPHA,
                    beta,
                    batch,
                    layoutA().elements(),
                    layoutB().elements(),
                    layoutC().elements(),
                    rounding);
            blas.gemm(bench.stream(), gemm);
            return bench.read("product", deviceC);
        }

        /** What C must be, in float64; what lies between its rows must not change. */
        Output exact(Tolerance tolerance) {
            double[] result = new double[c.length];
            for (int i = 0; i < c.length; i++) {
                result[i] = isInside(i) ? ALPHA * sum(i, false) + (beta == 0 ? 0 : (double) beta * c[i]) : c[i];
            }
            return Output.of("product", result).within(tolerance);
        }

        /**
         * {@code (k/8 + 8) 2^-23} of the sum of the magnitudes that are added, which is what a matrix unit errs by that
         * truncates after each eight terms, or a chain of float32 additions.
         */
        Tolerance deviation() {
            return (element, expected) -> isInside(element)
                    ? (k / 8.0 + 8) * 0x1p-23 * (ALPHA * sum(element, true) + Math.abs((double) beta * c[element]))
                    : 0;
        }

        /** The same, and 2^-10 of the sum of magnitudes: both operands of each product may be off by 2^-11. */
        Tolerance deviationOfTf32() {
            return (element, expected) -> isInside(element)
                    ? deviation().allowed(element, expected) + 0x1p-10 * ALPHA * sum(element, true)
                    : 0;
        }

        private double sum(int element, boolean ofMagnitudes) {
            int set = element / layoutC().elements();
            int row = element % layoutC().elements() / layoutC().stride();
            int column = element % layoutC().elements() % layoutC().stride();
            int fromA = set * layoutA().elements();
            int fromB = set * layoutB().elements();
            double sum = 0;
            for (int l = 0; l < k; l++) {
                double term = (double) a[
                                fromA
                                        + (transposeA
                                                ? layoutA().index(l, row)
                                                : layoutA().index(row, l))]
                        * b[
                                fromB
                                        + (transposeB
                                                ? layoutB().index(column, l)
                                                : layoutB().index(l, column))];
                sum += ofMagnitudes ? Math.abs(term) : term;
            }
            return sum;
        }
    }

    Operands on(Bench bench) {
        return new Operands(bench);
    }

    private boolean isInside(int element) {
        return element % layoutC().elements() % layoutC().stride() < n;
    }

    private Layout layoutA() {
        return layout(transposeA ? k : m, transposeA ? m : k);
    }

    private Layout layoutB() {
        return layout(transposeB ? n : k, transposeB ? k : n);
    }

    private Layout layoutC() {
        return layout(m, n);
    }

    private Layout layout(int rows, int columns) {
        return new Layout(rows, columns, 0, columns + gap);
    }
}
