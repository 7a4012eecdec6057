package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.KernelLab.Outcome;
import io.gpuquant.kernels.KernelRun.Place;
import io.gpuquant.tensor.DType;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class NormKernelsTest {

    private static final List<DType> TYPES = List.of(DType.F32, DType.F16, DType.BF16);
    private static final KernelLab LAB = new KernelLab("norm");

    @AfterAll
    static void close() {
        LAB.close();
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "33, 31", "31, 33", "9, 127", "3, 129", "17, 64", "9, 132", "2, 1036", "300, 4", "40, 516"})
    void normalizesRowsOfAllTypesAndShapes(int rows, int columns) {
        float[] in = gaussian(rows * columns, 5, 1);
        float[] weight = gaussian(columns, 1, 2);
        for (DType type : TYPES) {
            // The types of weight and result are independent of each other; three pairs meet every branch.
            requireNormalized(type, TYPES.get((TYPES.indexOf(type) + 1) % 3), rows, columns, in, weight, 1e-5f);
        }
    }

    @Test
    void epsilonRulesRowsOfTinyAndZeroValues() {
        float[] in = new float[3 * 64];
        java.util.Arrays.fill(in, 64, 128, 1e-4f);
        java.util.Arrays.fill(in, 128, 192, -1e-30f);
        requireNormalized(DType.F32, DType.F32, 3, 64, in, gaussian(64, 1, 3), 1e-6f);
    }

    @Test
    void normalizesRowsWhereEpsilonVanishes() {
        requireNormalized(DType.F32, DType.F32, 5, 260, gaussian(5 * 260, 1e15, 4), gaussian(260, 1, 5), 1e-6f);
    }

    @Test
    void handlesMatricesThatDoNotStartAtAVector() {
        float[] in = gaussian(3 * 64, 1, 6);
        float[] weight = gaussian(64, 1, 7);
        List<Outcome<float[]>> outcomes = LAB.exactly(run -> {
            DeviceMatrix out = run.empty(DType.F32, 3, 64);
            DeviceMatrix weights = run.put(DType.BF16, 1, 64, new Place(2, 64), weight);
            new NormKernels(run.stream(), run.kernels())
                    .rmsNorm(run.put(DType.F32, 3, 64, new Place(1, 64), in), weights, 1e-5f, out);
            return run.values(out);
        });
        requireClose(outcomes, DType.F32, 64, in, KernelRun.rounded(DType.BF16, weight), 1e-5f);
    }

    private static void requireNormalized(
            DType weightType, DType outType, int rows, int columns, float[] in, float[] weight, float epsilon) {
        List<Outcome<float[]>> outcomes = LAB.exactly(run -> {
            DeviceMatrix out = run.empty(outType, rows, columns);
            new NormKernels(run.stream(), run.kernels())
                    .rmsNorm(
                            run.put(DType.F32, rows, columns, in),
                            run.put(weightType, 1, columns, weight),
                            epsilon,
                            out);
            return run.values(out);
        });
        requireClose(outcomes, outType, columns, in, KernelRun.rounded(weightType, weight), epsilon);
    }

    /**
     * Of relative errors, a sum of squares has one per link of its longest chain, n / 32 and five across lanes; a mean one;
     * adding epsilon one; the root halves these and has one; the reciprocal and two products have one each.
     */
    private static void requireClose(
            List<Outcome<float[]>> outcomes, DType type, int columns, float[] in, float[] weight, float epsilon) {
        double relative = ((columns / 32 + 1 + 5 + 2) / 2.0 + 4) * Bounds.ROUNDING;
        assertThat(outcomes).allSatisfy(outcome -> {
            for (int row = 0; row < in.length / columns; row++) {
                double squares = 0;
                for (int c = 0; c < columns; c++) {
                    squares += (double) in[row * columns + c] * in[row * columns + c];
                }
                double root = Math.sqrt(squares / columns + epsilon);
                for (int c = 0; c < columns; c++) {
                    double exact = in[row * columns + c] / root * weight[c];
                    int at = row * columns + c;
                    double bound = Math.abs(exact) * relative + Bounds.rounding(type, exact);
                    Bounds.requireClose(outcome.result()[at], exact, bound, () -> outcome.label() + ", element " + at);
                }
            }
        });
    }

    @Test
    void refusesWrongTypesAndExtents() {
        LAB.fast(run -> {
            NormKernels kernels = new NormKernels(run.stream());
            DeviceMatrix in = run.put(DType.F32, 2, 4, new float[8]);
            DeviceMatrix weight = run.put(DType.F32, 1, 4, new float[4]);
            DeviceMatrix out = run.empty(DType.F32, 2, 4);
            DeviceMatrix window = run.put(DType.F32, 2, 4, new Place(0, 5), new float[8]);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.rmsNorm(window, weight, 0, out))
                    .withMessageContaining("is not dense");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.rmsNorm(in, in, 0, out))
                    .withMessageContaining("is not 1 x 4");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.rmsNorm(in, weight, 0, run.empty(DType.F32, 2, 5)))
                    .withMessageContaining("is not 2 x 4");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.rmsNorm(in, weight, 0, run.empty(DType.U8, 2, 4)))
                    .withMessageContaining("is not of F32, F16 or BF16");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.rmsNorm(run.put(DType.F16, 2, 4, new float[8]), weight, 0, out))
                    .withMessageContaining("is not of F32");
            kernels.rmsNorm(run.empty(DType.F32, 0, 4), weight, 0, run.empty(DType.F32, 0, 4));
            return true;
        });
    }

    private static float[] gaussian(int count, double scale, long seed) {
        Random random = new Random(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) (scale * random.nextGaussian());
        }
        return values;
    }
}
