package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.KernelLab.Outcome;
import io.gpuquant.kernels.KernelRun.Place;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class SoftmaxKernelsTest {

    private static final List<DType> TYPES = List.of(DType.F32, DType.F16, DType.BF16);
    private static final float SCALE = 0.125f;
    private static final KernelLab LAB = new KernelLab("softmax");

    @AfterAll
    static void close() {
        LAB.close();
    }

    @ParameterizedTest
    @CsvSource({
        "1, 1", "3, 3", "2, 4", "1, 31", "1, 33", "2, 64", "1, 127", "1, 128", "1, 129", "1, 132", "1, 165", "1, 260"
    })
    void weighsWhatIsLeftOfTheDiagonal(int matrices, int length) {
        float[] scores = gaussian(matrices * length * length, 20, length);
        for (DType type : TYPES) {
            requireWeights(type, length, scores, SCALE);
        }
    }

    @Test
    void weighsLongRows() {
        int length = 2052;
        float[] scores = gaussian(length * length, 20, 1);
        for (DType type : List.of(DType.F32, DType.BF16)) {
            float[] weights = LAB.fast(run -> causal(run, type, length, scores, SCALE));
            requireClose("fast", type, length, scores, SCALE, weights);
        }
    }

    @ParameterizedTest
    @ValueSource(floats = {1e4f, 3e6f, 8.3e6f, 1e7f, 1e9f, 1e30f, 3e38f})
    void isSafeForScoresOfAllSizes(float size) {
        // Up to 2^20 / (scale * log2(e)) rows go the common way, beyond it the general one.
        int length = 132;
        float[] scores = gaussian(length * length, 10, 2);
        for (int row = 0; row < length; row++) {
            float shift = size * (row % 2 == 0 ? 1 : -1);
            for (int c = 0; c < length; c++) {
                scores[row * length + c] += shift;
            }
            scores[row * length + row / 2] = -size;
        }
        requireWeights(DType.F32, length, scores, SCALE);
        requireWeights(DType.BF16, length, scores, SCALE);
    }

    @Test
    void givesEqualScoresEqualWeights() {
        int length = 132;
        float[] scores = new float[length * length];
        Arrays.fill(scores, -7f);
        assertThat(LAB.approximately(run -> causal(run, DType.F32, length, scores, 1f)))
                .allSatisfy(outcome -> {
                    for (int row = 0; row < length; row++) {
                        float first = outcome.result()[row * length];
                        assertThat(first).as(outcome.label()).isCloseTo(1f / (row + 1), within(1e-6f));
                        assertThat(Arrays.copyOfRange(outcome.result(), row * length, row * length + row + 1))
                                .as(outcome.label())
                                .containsOnly(first);
                    }
                });
    }

    @Test
    void givesMinusInfinityNoWeight() {
        int length = 132;
        float[] scores = gaussian(length * length, 10, 3);
        for (int row = 1; row < length; row++) {
            scores[row * length + row - 1] = Float.NEGATIVE_INFINITY;
        }
        requireWeights(DType.F32, length, scores, SCALE);
        requireWeights(DType.F16, length, scores, SCALE);
    }

    @ParameterizedTest
    @ValueSource(ints = {132, 131})
    void carriesNanAndInfinityIntoTheirRowsAlone(int length) {
        float[] scores = gaussian(length * length, 10, 4);
        scores[100 * length + 3] = Float.NaN;
        scores[101 * length + 50] = Float.POSITIVE_INFINITY;
        scores[130 * length + 130] = Float.intBitsToFloat(0xffc00001);
        Arrays.fill(scores, 20 * length, 21 * length, Float.NEGATIVE_INFINITY);
        List<Integer> lost = List.of(20, 100, 101, 130);
        for (DType type : TYPES) {
            assertThat(LAB.exactly(run -> causal(run, type, length, scores, SCALE)))
                    .allSatisfy(outcome -> {
                        for (int row = 0; row < length; row++) {
                            for (int c = 0; c < length; c++) {
                                float weight = outcome.result()[row * length + c];
                                if (c > row) {
                                    assertThat(weight).as(outcome.label()).isEqualTo(0f);
                                } else {
                                    assertThat(Float.isNaN(weight))
                                            .as(outcome.label())
                                            .isEqualTo(lost.contains(row));
                                }
                            }
                        }
                    });
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {33, 260})
    void overwritesScoresWithTheSameWeights(int length) {
        float[] scores = gaussian(length * length, 20, 5);
        float[] apart = LAB.fast(run -> causal(run, DType.F32, length, scores, SCALE));
        List<Outcome<float[]>> outcomes = LAB.exactly(run -> {
            DeviceMatrix matrix = triangle(run, length, scores);
            new SoftmaxKernels(run.stream(), run.kernels()).causal(matrix, SCALE, matrix);
            return run.values(matrix);
        });
        assertThat(outcomes)
                .filteredOn(outcome -> !outcome.twin())
                .allSatisfy(outcome ->
                        assertThat(outcome.result()).as(outcome.label()).isEqualTo(apart));
    }

    @Test
    void handlesMatricesThatDoNotStartAtAVector() {
        int length = 64;
        float[] scores = gaussian(length * length, 20, 6);
        List<Outcome<float[]>> outcomes = LAB.approximately(run -> {
            DeviceMatrix matrix = run.put(DType.F32, length, length, new Place(1, length), scores);
            DeviceMatrix weights = run.patterned(DType.F16, length, length, new Place(2, length));
            new SoftmaxKernels(run.stream(), run.kernels()).causal(matrix, SCALE, weights);
            run.requireUntouchedAround(weights);
            return run.values(weights);
        });
        assertThat(outcomes)
                .allSatisfy(
                        outcome -> requireClose(outcome.label(), DType.F16, length, scores, SCALE, outcome.result()));
    }

    private static void requireWeights(DType type, int length, float[] scores, float scale) {
        assertThat(LAB.approximately(run -> causal(run, type, length, scores, scale)))
                .allSatisfy(outcome -> requireClose(outcome.label(), type, length, scores, scale, outcome.result()));
    }

    private static float[] causal(KernelRun run, DType type, int length, float[] scores, float scale) {
        DeviceMatrix weights = run.empty(type, scores.length / length, length);
        new SoftmaxKernels(run.stream(), run.kernels()).causal(triangle(run, length, scores), scale, weights);
        return run.values(weights);
    }

    /** Scores of which nothing right of a diagonal is there, so that a checked machine would see it read. */
    private static DeviceMatrix triangle(KernelRun run, int length, float[] scores) {
        DeviceMatrix matrix = run.empty(DType.F32, scores.length / length, length);
        for (int row = 0; row < matrix.rows(); row++) {
            float[] visible = Arrays.copyOfRange(scores, row * length, row * length + row % length + 1);
            run.stream()
                    .copyToDevice(
                            MemorySegment.ofArray(visible), matrix.rows(row, 1).columns(0, visible.length));
        }
        return matrix;
    }

    /**
     * Relative errors: of an exponent, three roundings times the distance to the maximum, and 2^-4 more exponents where the
     * maximum's product was rounded; of ex2; and for the sum the same on the average, with one per link of its longest chain,
     * length / 32 and eight more. Below the least normal number ex2 has no relative accuracy.
     */
    private static void requireClose(
            String label, DType type, int length, float[] scores, float scale, float[] weights) {
        for (int row = 0; row < weights.length / length; row++) {
            int visible = row % length + 1;
            float[] seen = Arrays.copyOfRange(scores, row * length, row * length + visible);
            double maximum = Double.NEGATIVE_INFINITY;
            for (float score : seen) {
                maximum = Math.max(maximum, score);
            }
            double sum = 0;
            double moment = 0;
            for (float score : seen) {
                double exponential = Math.exp(scale * (score - maximum));
                sum += exponential;
                moment += exponential == 0 ? 0 : exponential * scale * (maximum - score);
            }
            for (int c = 0; c < length; c++) {
                int column = c;
                int at = row * length + c;
                Supplier<String> where = () -> label + ", " + type + ", row " + at / length + ", column " + column;
                if (c >= visible) {
                    Bounds.requireClose(weights[at], 0, 0, where);
                    continue;
                }
                double distance = scale * (maximum - seen[c]);
                double exact = Math.exp(-distance) / sum;
                double relative = 3 * (distance + moment / sum + 0.1) * Bounds.ROUNDING
                        + 2 * Bounds.EX2
                        + (length / 32 + 12) * Bounds.ROUNDING;
                double bound = (exact == 0 ? 0 : exact * relative) + Bounds.rounding(type, exact) + Float.MIN_NORMAL;
                Bounds.requireClose(weights[at], exact, bound, where);
            }
        }
    }

    @Test
    void refusesWrongTypesExtentsAndScales() {
        LAB.fast(run -> {
            SoftmaxKernels kernels = new SoftmaxKernels(run.stream());
            DeviceMatrix scores = run.put(DType.F32, 4, 4, new float[16]);
            DeviceMatrix weights = run.empty(DType.F16, 4, 4);
            DeviceMatrix window = run.put(DType.F32, 4, 4, new Place(0, 5), new float[16]);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.causal(scores.rows(0, 3), 1, weights.rows(0, 3)))
                    .withMessageContaining("does not hold square matrices");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.causal(window, 1, weights))
                    .withMessageContaining("is not dense");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.causal(weights, 1, scores))
                    .withMessageContaining("is not of F32");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.causal(scores, 1, weights.rows(0, 2)))
                    .withMessageContaining("is not 4 x 4");
            for (float scale : new float[] {0, -1, Float.NaN, Float.POSITIVE_INFINITY}) {
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> kernels.causal(scores, scale, weights))
                        .withMessageContaining("a scale of");
            }
            kernels.causal(run.empty(DType.F32, 0, 4), 1, run.empty(DType.F32, 0, 4));
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
