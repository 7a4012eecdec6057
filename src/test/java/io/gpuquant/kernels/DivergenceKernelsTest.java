package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.KernelLab.Outcome;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class DivergenceKernelsTest {

    private static final KernelLab LAB = new KernelLab("divergence");

    @AfterAll
    static void close() {
        LAB.close();
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "33, 3", "5, 31", "3, 33", "3, 127", "3, 129", "2, 1023", "3, 2049", "1, 4099"})
    void equalsTheDivergenceInFloat64(int rows, int vocabulary) {
        float[] logits = gaussian(rows * vocabulary, 3, vocabulary);
        float[] others = near(logits, 0.3, vocabulary + 1);
        List<Outcome<double[][]>> outcomes = LAB.approximately(run -> sums(run, rows, logits, others));
        assertThat(outcomes).allSatisfy(outcome -> {
            for (int row = 0; row < rows; row++) {
                double[] p = row(logits, vocabulary, row);
                double[] q = row(others, vocabulary, row);
                requireClose(outcome, row, p, q);
                assertThat(outcome.result()[row][3])
                        .as(outcome.label())
                        .isEqualTo(likeliest(p) == likeliest(q) ? 1 : 0);
            }
        });
    }

    @Test
    void isZeroBetweenEqualPredictions() {
        float[] logits = gaussian(3 * 500, 4, 9);
        double[][] sums = LAB.fast(run -> sums(run, 3, logits, logits));
        assertThat(List.of(sums)).allSatisfy(row -> {
            assertThat(DivergenceKernels.divergence(row)).isZero();
            assertThat(row[3]).isEqualTo(1);
        });
    }

    @Test
    void doesNotDependOnAShiftOfAllLogits() {
        float[] logits = new float[] {1, 2, 3, 4};
        float[] shifted = new float[] {-1e4f + 1, -1e4f + 2, -1e4f + 3, -1e4f + 4};
        double[][] sums = LAB.fast(run -> sums(run, 1, logits, shifted));
        assertThat(DivergenceKernels.divergence(sums[0])).isZero();
    }

    @Test
    void allowsTokensThatCannotBe() {
        float[] logits = gaussian(2 * 40, 2, 3);
        float[] others = near(logits, 0.1, 4);
        logits[5] = Float.NEGATIVE_INFINITY;
        others[5] = Float.NEGATIVE_INFINITY;
        others[40 + 7] = Float.NEGATIVE_INFINITY;
        List<Outcome<double[][]>> outcomes = LAB.approximately(run -> sums(run, 2, logits, others));
        assertThat(outcomes).allSatisfy(outcome -> {
            requireClose(outcome, 0, row(logits, 40, 0), row(others, 40, 0));
            assertThat(DivergenceKernels.divergence(outcome.result()[1]))
                    .as(outcome.label())
                    .isPositive()
                    .isInfinite();
        });
    }

    @Test
    void carriesNanIntoItsRowOnly() {
        float[] logits = gaussian(3 * 40, 2, 3);
        float[] others = near(logits, 0.1, 4);
        logits[5] = Float.NaN;
        others[80 + 5] = Float.NaN;
        double[][] sums = LAB.fast(run -> sums(run, 3, logits, others));
        assertThat(DivergenceKernels.divergence(sums[0])).isNaN();
        assertThat(DivergenceKernels.divergence(sums[1])).isFinite();
        assertThat(DivergenceKernels.divergence(sums[2])).isNaN();
    }

    @Test
    void refusesWrongTypesAndExtents() {
        LAB.fast(run -> {
            DivergenceKernels kernels = new DivergenceKernels(run.stream());
            DeviceMatrix logits = run.put(DType.F32, 2, 4, new float[8]);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.sums(logits, logits, run.empty(DType.F32, 2, 4)));
            assertThatIllegalArgumentException()
                    .isThrownBy(() ->
                            kernels.sums(logits, run.put(DType.F32, 4, 2, new float[8]), run.empty(DType.F64, 2, 4)));
            return true;
        });
    }

    private static double[][] sums(KernelRun run, int rows, float[] logits, float[] others) {
        int vocabulary = logits.length / rows;
        DeviceMatrix sums = run.empty(DType.F64, rows, 4);
        new DivergenceKernels(run.stream(), run.kernels())
                .sums(run.put(DType.F32, rows, vocabulary, logits), run.put(DType.F32, rows, vocabulary, others), sums);
        double[][] result = new double[rows][4];
        for (int row = 0; row < rows; row++) {
            run.stream().copyToHost(sums.rows(row, 1), MemorySegment.ofArray(result[row]));
        }
        return result;
    }

    /**
     * Each exponential errs by the two roundings of its exponent and by ex2, relative to itself: that moves the logarithms of
     * the sums, and weighs the differences, which are near one, a little differently.
     */
    private static void requireClose(Outcome<double[][]> outcome, int row, double[] p, double[] q) {
        double meanDistance = 0;
        double divergence = 0;
        double largest = 0;
        double logP = logOfSum(p);
        double logQ = logOfSum(q);
        for (int i = 0; i < p.length; i++) {
            double probability = Math.exp(p[i] - logP);
            if (probability > 0) {
                divergence += probability * (p[i] - logP - q[i] + logQ);
                meanDistance += (probability + Math.exp(q[i] - logQ))
                        * (Arrays.stream(p).max().orElse(0) - p[i] + 1);
                largest = Math.max(largest, Math.abs(p[i] - q[i]));
            }
        }
        double relative = 3 * meanDistance * Bounds.ROUNDING + Bounds.EX2;
        assertThat(DivergenceKernels.divergence(outcome.result()[row]))
                .as(outcome.label())
                .isCloseTo(divergence, within(2 * relative * (1 + largest)));
    }

    private static double logOfSum(double[] values) {
        double maximum = Arrays.stream(values).max().orElse(0);
        return maximum
                + Math.log(Arrays.stream(values)
                        .map(value -> Math.exp(value - maximum))
                        .sum());
    }

    private static int likeliest(double[] values) {
        int best = 0;
        for (int i = 1; i < values.length; i++) {
            best = values[i] > values[best] ? i : best;
        }
        return best;
    }

    private static double[] row(float[] values, int columns, int row) {
        double[] result = new double[columns];
        for (int i = 0; i < columns; i++) {
            result[i] = values[row * columns + i];
        }
        return result;
    }

    private static float[] near(float[] values, double scale, long seed) {
        float[] noise = gaussian(values.length, scale, seed);
        for (int i = 0; i < noise.length; i++) {
            noise[i] += values[i];
        }
        return noise;
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
