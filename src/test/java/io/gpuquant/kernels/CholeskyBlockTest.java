package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.tensor.DType;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Class D: residuals against float64, zeros and pivots exactly. Kernel and twin take different orders and are not equal. */
class CholeskyBlockTest {

    private static final double HALF_ULP = Math.scalb(1.0, -24);

    @SuppressWarnings("ArrayRecordComponent") // Arrays are compared element by element.
    record Factors(float[] r, float[] inverse, int status) {}

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 31, 33, 64, 127, 128})
    void factorsAndInverts(int n) {
        double[] h = wellConditioned(new SplittableRandom(n), n);
        for (Factors factors : kernelAndTwin(h, n, 3, n + 5, 0)) {
            assertThat(factors.status).isEqualTo(-7);
            // R R^T = H to a few roundings of each of up to n products.
            assertThat(residual(factors, h, n)).isLessThan(Math.max(n, 8) * HALF_ULP);
            assertThat(inverseResidual(factors, n)).isLessThan(Math.max(n, 8) * 4 * HALF_ULP);
            requireUpper(factors.r, n);
            requireUpper(factors.inverse, n);
        }
    }

    @ParameterizedTest
    @CsvSource({"1e2, 3e-7", "1e4, 3e-7", "1e6, 3e-7"})
    void staysBackwardStableWhateverTheCondition(double condition, double bound) {
        int n = 128;
        double[] h = withCondition(new SplittableRandom(9), n, condition);
        try (KernelRig rig = KernelRig.fast()) {
            Factors factors = factor(rig, Matrices.toFloats(h), n, 0, n, 0);
            assertThat(residual(factors, h, n)).isLessThan(bound);
            // R times its inverse is off by what rounding each of up to n products costs, whatever H was.
            assertThat(inverseResidual(factors, n)).isLessThan(n * HALF_ULP);
        }
    }

    @Test
    void takesTheIdentityExactly() {
        int n = 7;
        double[] identity = new double[n * n];
        for (int i = 0; i < n; i++) {
            identity[i * n + i] = 1;
        }
        for (Factors factors : kernelAndTwin(identity, n, 0, n, 0)) {
            assertThat(Matrices.norm(Matrices.difference(Matrices.toDoubles(factors.r), identity)))
                    .isZero();
            assertThat(Matrices.norm(Matrices.difference(Matrices.toDoubles(factors.inverse), identity)))
                    .isZero();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "5, 0",
        "17, 0",
        "18, 0",
        "19, 0",
        "20, 0",
        "20, NaN",
        "11, NaN",
        "20, Infinity",
        "4, Infinity",
        "9, -1"
    })
    void namesThePivotThatFails(int index, double value) {
        int n = 21;
        double[] h = wellConditioned(new SplittableRandom(index), n);
        h[index * n + index] = value;
        for (Factors factors : kernelAndTwin(h, n, 1, n, 256)) {
            assertThat(factors.status).isEqualTo(256 + 1 + index);
        }
    }

    @Test
    void namesTheLastOfSeveralPivotsThatFail() {
        int n = 12;
        double[] h = wellConditioned(new SplittableRandom(1), n);
        h[2 * n + 2] = -1;
        h[8 * n + 8] = -1;
        h[9 * n + 9] = -1;
        for (Factors factors : kernelAndTwin(h, n, 0, n, 0)) {
            assertThat(factors.status).isEqualTo(10);
        }
    }

    @Test
    void noticesAMatrixThatIsNotPositiveDefinite() {
        // Rank one: all pivots but the last are zero or a rounding away from it.
        double[] h = {4, 4, 4, 4};
        for (Factors factors : kernelAndTwin(h, 2, 0, 2, 0)) {
            assertThat(factors.status).isEqualTo(1);
        }
        double[] indefinite = {1, 3, 3, 1};
        for (Factors factors : kernelAndTwin(indefinite, 2, 0, 2, 0)) {
            assertThat(factors.status).isEqualTo(1);
        }
    }

    private static List<Factors> kernelAndTwin(double[] h, int n, int offset, int stride, int firstColumn) {
        float[] values = Matrices.toFloats(h);
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < i; j++) {
                values[i * n + j] = Float.NaN;
            }
        }
        Factors kernel = KernelRig.everywhere(rig -> factor(rig, values, n, offset, stride, firstColumn));
        // The twin's loops are long.
        return n > 64
                ? List.of(kernel)
                : List.of(kernel, KernelRig.twins(rig -> factor(rig, values, n, offset, stride, firstColumn)));
    }

    private static Factors factor(KernelRig rig, float[] h, int n, int offset, int stride, int firstColumn) {
        DeviceMatrix block = rig.window(n, n, offset, stride, h);
        DeviceMatrix inverse = rig.emptyWindow(DType.F32, n, n, 2, n);
        DeviceMatrix status = rig.integers(1, 1, -7);
        rig.hessian().factorDiagonal(block, inverse, status, firstColumn);
        rig.requireUntouchedAround(block);
        rig.requireUntouchedAround(inverse);
        return new Factors(rig.floatsOf(block), rig.floatsOf(inverse), rig.integersOf(status)[0]);
    }

    private static double residual(Factors factors, double[] h, int n) {
        double[] r = Matrices.toDoubles(factors.r);
        double[] rounded = Matrices.toDoubles(Matrices.toFloats(h));
        double[] product = Matrices.product(r, Matrices.transposed(r, n, n), n, n, n);
        return Matrices.norm(Matrices.difference(product, rounded)) / Matrices.norm(rounded);
    }

    /** The norm of R U - 1, per column. */
    private static double inverseResidual(Factors factors, int n) {
        double[] product =
                Matrices.product(Matrices.toDoubles(factors.r), Matrices.toDoubles(factors.inverse), n, n, n);
        for (int i = 0; i < n; i++) {
            product[i * n + i] -= 1;
        }
        return Matrices.norm(product) / Math.sqrt(n);
    }

    private static void requireUpper(float[] matrix, int n) {
        for (int i = 0; i < n; i++) {
            assertThat(matrix[i * n + i]).isPositive().isFinite();
            for (int j = 0; j < i; j++) {
                assertThat(matrix[i * n + j]).isEqualTo(0);
            }
        }
    }

    private static double[] wellConditioned(SplittableRandom random, int n) {
        double[] x = new double[2 * n * n];
        for (int i = 0; i < x.length; i++) {
            x[i] = random.nextGaussian();
        }
        double[] h = Matrices.product(Matrices.transposed(x, 2 * n, n), x, n, 2 * n, n);
        for (int i = 0; i < n; i++) {
            h[i * n + i] += 0.1 * n;
        }
        return h;
    }

    /** Eigenvalues from one down to the reciprocal of the condition, evenly on a logarithmic scale. */
    private static double[] withCondition(SplittableRandom random, int n, double condition) {
        double[] q = new double[n * n];
        for (int column = 0; column < n; column++) {
            double[] v = new double[n];
            for (int i = 0; i < n; i++) {
                v[i] = random.nextGaussian();
            }
            for (int twice = 0; twice < 2; twice++) {
                for (int other = 0; other < column; other++) {
                    double along = 0;
                    for (int i = 0; i < n; i++) {
                        along += v[i] * q[i * n + other];
                    }
                    for (int i = 0; i < n; i++) {
                        v[i] -= along * q[i * n + other];
                    }
                }
            }
            double norm = Matrices.norm(v);
            for (int i = 0; i < n; i++) {
                q[i * n + column] = v[i] / norm;
            }
        }
        double[] scaled = q.clone();
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                scaled[i * n + j] *= Math.pow(condition, -(double) j / (n - 1));
            }
        }
        return Matrices.product(scaled, Matrices.transposed(q, n, n), n, n, n);
    }
}
