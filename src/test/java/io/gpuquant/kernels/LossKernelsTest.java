package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.KernelLab.Outcome;
import io.gpuquant.kernels.KernelRun.Place;
import io.gpuquant.tensor.DType;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class LossKernelsTest {

    private static final KernelLab LAB = new KernelLab("loss");

    @AfterAll
    static void close() {
        LAB.close();
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "33, 3", "5, 31", "3, 33", "3, 127", "3, 129", "2, 1000", "2, 1023", "3, 1028", "1, 4099"})
    void givesTheLogProbabilityOfTheTarget(int rows, int vocabulary) {
        float[] logits = gaussian(rows * vocabulary, 3, vocabulary);
        int[] targets = targets(rows, vocabulary);
        requireAllClose(logits, targets);
    }

    @ParameterizedTest
    @ValueSource(ints = {50_257, 262_144})
    void errsByAMillionthForLargeVocabularies(int vocabulary) {
        int rows = 4;
        float[] logits = gaussian(rows * vocabulary, 3, 1);
        int[] targets = targets(rows, vocabulary);
        // The likeliest tokens, so that the result is small and its own rounding does not hide the error.
        for (int row = 0; row < rows; row++) {
            logits[row * vocabulary + targets[row]] = 15;
        }
        float[] result = LAB.fast(run -> logProbabilities(run, logits, targets));
        for (int row = 0; row < rows; row++) {
            Row exact = Row.of(logits, vocabulary, row, targets[row]);
            assertThat((double) result[row]).isCloseTo(exact.logProbability, within(1e-6));
        }
    }

    @ParameterizedTest
    @ValueSource(floats = {1e4f, -1e4f, 1e30f, -3e38f})
    void isSafeForLogitsOfAllSizes(float shift) {
        int vocabulary = 516;
        float[] logits = gaussian(4 * vocabulary, 5, 2);
        for (int i = 0; i < logits.length; i++) {
            logits[i] += shift;
        }
        logits[7] = -shift;
        requireAllClose(logits, 7, 8, 9, 10);
    }

    @Test
    void givesEqualLogitsEqualProbabilities() {
        float[] logits = new float[3 * 1001];
        Arrays.fill(logits, 1001, 2002, -1e4f);
        Arrays.fill(logits, 2002, 3003, 3.1f);
        requireAllClose(logits, 0, 500, 1000);
    }

    @Test
    void allowsTokensThatCannotBe() {
        float[] logits = gaussian(2 * 132, 3, 3);
        logits[5] = Float.NEGATIVE_INFINITY;
        logits[132 + 6] = Float.NEGATIVE_INFINITY;
        List<Outcome<float[]>> outcomes = LAB.approximately(run -> logProbabilities(run, logits, 9, 6));
        assertThat(outcomes).allSatisfy(outcome -> {
            requireClose(outcome, Row.of(logits, 132, 0, 9), 0);
            assertThat(outcome.result()[1]).as(outcome.label()).isEqualTo(Float.NEGATIVE_INFINITY);
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {132, 133})
    void carriesNanAndInfinityIntoTheResult(int vocabulary) {
        float[] logits = gaussian(5 * vocabulary, 3, 4);
        logits[3] = Float.NaN;
        logits[vocabulary + 4] = Float.POSITIVE_INFINITY;
        logits[2 * vocabulary + 5] = Float.intBitsToFloat(0xffc00001);
        Arrays.fill(logits, 3 * vocabulary, 4 * vocabulary, Float.NEGATIVE_INFINITY);
        List<Outcome<float[]>> outcomes = LAB.exactly(run -> logProbabilities(run, logits, 0, 1, 2, 3, 4));
        assertThat(outcomes).allSatisfy(outcome -> {
            assertThat(Arrays.copyOf(outcome.result(), 4)).as(outcome.label()).containsOnly(Float.NaN);
            requireClose(outcome, Row.of(logits, vocabulary, 4, 4), 4);
        });
    }

    @Test
    void refusesWrongTypesAndExtents() {
        LAB.fast(run -> {
            LossKernels kernels = new LossKernels(run.stream());
            DeviceMatrix logits = run.put(DType.F32, 2, 4, new float[8]);
            DeviceMatrix targets = run.put(0, 1);
            DeviceMatrix out = run.empty(DType.F32, 1, 2);
            DeviceMatrix window = run.put(DType.F32, 2, 4, new Place(0, 5), new float[8]);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.logProbabilities(window, targets, out))
                    .withMessageContaining("is not dense");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.logProbabilities(logits, run.put(0, 1, 2), out))
                    .withMessageContaining("is not 1 x 2");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.logProbabilities(logits, out, out))
                    .withMessageContaining("is not of I32");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.logProbabilities(logits, targets, run.empty(DType.F32, 2, 1)))
                    .withMessageContaining("is not 1 x 2");
            kernels.logProbabilities(run.empty(DType.F32, 0, 4), run.put(), run.empty(DType.F32, 1, 0));
            return true;
        });
    }

    private static float[] logProbabilities(KernelRun run, float[] logits, int... targets) {
        DeviceMatrix out = run.empty(DType.F32, 1, targets.length);
        new LossKernels(run.stream(), run.kernels())
                .logProbabilities(
                        run.put(DType.F32, targets.length, logits.length / targets.length, logits),
                        run.put(targets),
                        out);
        return run.values(out);
    }

    private static void requireAllClose(float[] logits, int... targets) {
        assertThat(LAB.approximately(run -> logProbabilities(run, logits, targets)))
                .allSatisfy(outcome -> {
                    for (int row = 0; row < targets.length; row++) {
                        requireClose(outcome, Row.of(logits, logits.length / targets.length, row, targets[row]), row);
                    }
                });
    }

    /** A row in float64: the result, and the average distance of logits to their maximum. */
    private record Row(double logProbability, double meanDistance) {

        static Row of(float[] logits, int vocabulary, int row, int target) {
            float[] values = Arrays.copyOfRange(logits, row * vocabulary, (row + 1) * vocabulary);
            double maximum = Double.NEGATIVE_INFINITY;
            for (float value : values) {
                maximum = Math.max(maximum, value);
            }
            double sum = 0;
            double moment = 0;
            for (float value : values) {
                double exponential = Math.exp(value - maximum);
                sum += exponential;
                moment += exponential == 0 ? 0 : exponential * (maximum - value);
            }
            return new Row(values[target] - maximum - Math.log(sum), moment / sum);
        }
    }

    /**
     * Errors of the logarithm of the sum: three roundings of an exponent times the average distance; of ex2; of a sum with
     * correction and eight additions without; of lg2, in units of log(2). The twin takes the logarithm in float32 and may err
     * by two units in the last place of a number below 16 more.
     */
    private static void requireClose(Outcome<float[]> outcome, Row row, int index) {
        double bound = 3 * row.meanDistance * Bounds.ROUNDING
                + Bounds.EX2
                + 12 * Bounds.ROUNDING
                + Bounds.LG2 * Math.log(2)
                + (outcome.twin() ? 0x1p-19 : 0)
                + Bounds.rounding(DType.F32, row.logProbability);
        assertThat((double) outcome.result()[index]).as(outcome.label()).isCloseTo(row.logProbability, within(bound));
    }

    private static int[] targets(int rows, int vocabulary) {
        int[] targets = new Random(5).ints(rows, 0, vocabulary).toArray();
        targets[0] = vocabulary - 1;
        return targets;
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
