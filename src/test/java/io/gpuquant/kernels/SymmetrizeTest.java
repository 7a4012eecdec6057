package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.tensor.DType;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Class A: copies. */
class SymmetrizeTest {

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 31, 33, 129, 260})
    void copiesWhatIsAboveTheDiagonalToBelowIt(int n) {
        float[] matrix = Matrices.normal(new SplittableRandom(n), n * n, 1);
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < i; j++) {
                // Below the diagonal anything may stand, and none of it may survive.
                matrix[i * n + j] = (i + j) % 2 == 0 ? Float.NaN : 1e30f;
            }
        }

        assertThat(symmetrize(matrix, n)).containsExactly(mirrored(matrix, n));
    }

    @Test
    void copiesBitsAsTheyAre() {
        float payload = Float.intBitsToFloat(0x7f812345);
        float[] matrix = {-0f, -0f, payload, 1, 0, Float.NEGATIVE_INFINITY, 2, 3, Float.MIN_VALUE};

        float[] symmetric = symmetrize(matrix, 3);
        assertThat(Float.floatToRawIntBits(symmetric[3])).isEqualTo(Float.floatToRawIntBits(-0f));
        assertThat(Float.floatToRawIntBits(symmetric[6])).isEqualTo(0x7f812345);
        assertThat(symmetric[7]).isEqualTo(Float.NEGATIVE_INFINITY);
        assertThat(symmetric[8]).isEqualTo(Float.MIN_VALUE);
    }

    /** What a product of the upper triangle left unwritten is written without having been read. */
    @Test
    void readsNothingBelowTheDiagonal() {
        int n = 40;
        float[] values = Matrices.normal(new SplittableRandom(3), n * n, 1);

        float[] symmetric = KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix matrix = rig.empty(DType.F32, n, n);
            for (int row = 0; row < n; row++) {
                float[] upper = new float[n - row];
                System.arraycopy(values, row * n + row, upper, 0, upper.length);
                rig.fill(matrix.rows(row, 1).columns(row, upper.length), upper);
            }
            rig.hessian().symmetrize(matrix);
            return rig.floatsOf(matrix);
        });
        assertThat(symmetric).containsExactly(mirrored(values, n));
    }

    @Test
    void refusesWhatIsNotSquareOrNotDense() {
        try (KernelRig rig = KernelRig.fast()) {
            HessianKernels kernels = rig.hessian();
            DeviceMatrix wide = rig.empty(DType.F32, 4, 5);

            assertThatIllegalArgumentException().isThrownBy(() -> kernels.symmetrize(wide));
            assertThatIllegalArgumentException().isThrownBy(() -> kernels.symmetrize(wide.columns(0, 4)));
            assertThatIllegalArgumentException().isThrownBy(() -> kernels.symmetrize(rig.empty(DType.F16, 4, 4)));
        }
    }

    private static float[] mirrored(float[] matrix, int n) {
        float[] mirrored = new float[n * n];
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                mirrored[i * n + j] = matrix[Math.min(i, j) * n + Math.max(i, j)];
            }
        }
        return mirrored;
    }

    private static float[] symmetrize(float[] values, int n) {
        return KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix matrix = rig.floats(n, n, values);
            rig.hessian().symmetrize(matrix);
            return rig.floatsOf(matrix);
        });
    }
}
