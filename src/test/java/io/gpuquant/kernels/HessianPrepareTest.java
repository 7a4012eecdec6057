package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.tensor.DType;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Class A: copies and one addition. */
class HessianPrepareTest {

    @ParameterizedTest
    @ValueSource(ints = {1, 31, 33, 127, 129, 260})
    void reordersDampsAndRevivesDeadColumns(int n) {
        SplittableRandom random = new SplittableRandom(n);
        float[] gram = gram(random, n);
        int[] order = PackKernelsTest.shuffled(random, n);
        gram[(n / 2) * n + n / 2] = 0;

        assertThat(prepare(gram, order, 0.25f)).isEqualTo(expected(gram, order, 0.25f));
    }

    @Test
    void copiesTheUpperTriangleWithoutOrderAndDamping() {
        int n = 40;
        float[] gram = gram(new SplittableRandom(3), n);
        int[] order = IntStream.range(0, n).toArray();

        float[] hessian = prepare(gram, order, 0);
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                assertThat(hessian[i * n + j]).isEqualTo(j < i ? 0 : gram[i * n + j]);
            }
        }
    }

    @Test
    void makesTheDiagonalOfADeadColumnExactlyOne() {
        float[] hessian = prepare(new float[] {0, 0, 0, 4}, new int[] {1, 0}, 0.5f);

        assertThat(hessian).containsExactly(4.5f, 0, 0, 1);
    }

    /** A symmetric matrix. */
    private static float[] gram(SplittableRandom random, int n) {
        float[] gram = Matrices.normal(random, n * n, 1);
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < i; j++) {
                gram[i * n + j] = gram[j * n + i];
            }
        }
        return gram;
    }

    private static float[] expected(float[] gram, int[] order, float damping) {
        int n = order.length;
        float[] hessian = new float[n * n];
        for (int i = 0; i < n; i++) {
            for (int j = i; j < n; j++) {
                hessian[i * n + j] = gram[order[i] * n + order[j]];
            }
            float diagonal = hessian[i * n + i];
            hessian[i * n + i] = diagonal == 0 ? 1 : diagonal + damping;
        }
        return hessian;
    }

    private static float[] prepare(float[] gram, int[] order, float damping) {
        int n = order.length;
        return KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix hessian = rig.empty(DType.F32, n, n);
            rig.hessian().prepare(rig.floats(n, n, gram), rig.integers(1, n, order), damping, hessian);
            return rig.floatsOf(hessian);
        });
    }
}
