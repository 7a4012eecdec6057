package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.gpuquant.device.DeviceMatrix;
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

/** Softmax over sliding windows and of capped scores, within float64's by bounds that follow from the operations. */
final class SoftmaxWindowedTest {

    private static final List<DType> TYPES = List.of(DType.F32, DType.F16, DType.BF16);
    private static final float SCALE = 0.125f;
    private static final KernelLab LAB = new KernelLab("softmax");

    @AfterAll
    static void close() {
        LAB.close();
    }

    /** Matrices, length, window, cap and size of scores. */
    @ParameterizedTest
    @CsvSource({
        "1, 1, 1, 0, 20",
        "2, 3, 2, 0, 20",
        "3, 31, 7, 50, 200",
        "1, 33, 32, 0, 20",
        "1, 65, 33, 5, 100",
        "2, 64, 1, 0, 20",
        "1, 130, 1000, 30, 800",
        "1, 129, 40, 50, 3000",
        "1, 97, 97, 2, 1"
    })
    void weighsWhatIsInTheWindow(int matrices, int length, int window, float cap, float size) {
        float[] scores = gaussian(matrices * length * length, size, length);
        for (DType type : TYPES) {
            assertThat(LAB.approximately(run -> windowed(run, type, length, window, cap, scores)))
                    .allSatisfy(outcome ->
                            requireClose(outcome.label(), type, length, window, cap, scores, outcome.result()));
        }
    }

    /** To the bit, where rows are not of whole vectors and the causal kernel takes the same steps. */
    @Test
    void isTheCausalSoftmaxWithoutWindowAndCap() {
        int length = 131;
        float[] scores = gaussian(length * length, 20, 1);
        float[] causal = LAB.fast(run -> {
            DeviceMatrix weights = run.empty(DType.F32, length, length);
            new SoftmaxKernels(run.stream(), run.kernels())
                    .causal(run.put(DType.F32, length, length, scores), SCALE, weights);
            return run.values(weights);
        });

        float[] windowed = LAB.fast(run -> windowed(run, DType.F32, length, length, 0, scores));
        assertThat(windowed).isEqualTo(causal);
    }

    @ParameterizedTest
    @ValueSource(ints = {64, 33})
    void overwritesScoresInPlace(int length) {
        float[] scores = gaussian(length * length, 20, 5);
        float[] apart = LAB.fast(run -> windowed(run, DType.F32, length, 9, 50, scores));
        float[] inPlace = LAB.fast(run -> {
            DeviceMatrix matrix = run.put(DType.F32, length, length, scores);
            new SoftmaxKernels(run.stream(), run.kernels()).windowed(matrix, SCALE, 9, 50, matrix);
            return run.values(matrix);
        });

        assertThat(inPlace).isEqualTo(apart);
    }

    @Test
    void carriesNanIntoItsWindowAlone() {
        int length = 70;
        float[] scores = gaussian(length * length, 10, 4);
        scores[60 * length + 55] = Float.NaN;
        // Outside the window of row 61.
        scores[61 * length + 3] = Float.NaN;
        float[] weights = LAB.fast(run -> {
            DeviceMatrix result = run.empty(DType.F32, length, length);
            new SoftmaxKernels(run.stream(), run.kernels())
                    .windowed(run.put(DType.F32, length, length, scores), SCALE, 10, 0, result);
            return run.values(result);
        });
        for (int row = 0; row < length; row++) {
            for (int c = 0; c < length; c++) {
                boolean lost = row == 60 && c > 50 && c <= 60;
                assertThat(Float.isNaN(weights[row * length + c]))
                        .as("row " + row + ", column " + c)
                        .isEqualTo(lost);
            }
        }
    }

    @Test
    void refusesWindowsAndCapsThatAreNone() {
        LAB.fast(run -> {
            SoftmaxKernels kernels = new SoftmaxKernels(run.stream());
            DeviceMatrix scores = run.put(DType.F32, 4, 4, new float[16]);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.windowed(scores, 1, 0, 0, scores))
                    .withMessageContaining("a window of 0");
            for (float cap : new float[] {-1, Float.NaN, Float.POSITIVE_INFINITY}) {
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> kernels.windowed(scores, 1, 2, cap, scores))
                        .withMessageContaining("a cap of");
            }
            kernels.windowed(run.empty(DType.F32, 0, 4), 1, 2, 0, run.empty(DType.F32, 0, 4));
            return true;
        });
    }

    /** Scores of which nothing outside the windows is there, so that a checked machine would see it read. */
    private static float[] windowed(KernelRun run, DType type, int length, int window, float cap, float[] scores) {
        DeviceMatrix weights = run.empty(type, scores.length / length, length);
        DeviceMatrix matrix = run.empty(DType.F32, scores.length / length, length);
        for (int row = 0; row < matrix.rows(); row++) {
            int first = Math.max(0, row % length + 1 - window);
            float[] visible = Arrays.copyOfRange(scores, row * length + first, row * length + row % length + 1);
            run.stream()
                    .copyToDevice(
                            MemorySegment.ofArray(visible), matrix.rows(row, 1).columns(first, visible.length));
        }
        new SoftmaxKernels(run.stream(), run.kernels()).windowed(matrix, SCALE, window, cap, weights);
        return run.values(weights);
    }

    /**
     * Relative errors as of the causal softmax; and where scores are capped, of two exponents the cap times the error of
     * tanh, 3 ex2 and 6 roundings, in the weight and in the sum.
     */
    private static void requireClose(
            String label, DType type, int length, int window, float cap, float[] scores, float[] weights) {
        for (int row = 0; row < weights.length / length; row++) {
            int i = row % length;
            int first = Math.max(0, i + 1 - window);
            double[] y = new double[length];
            double maximum = Double.NEGATIVE_INFINITY;
            for (int c = first; c <= i; c++) {
                double scaled = SCALE * (double) scores[row * length + c];
                y[c] = cap > 0 ? cap * Math.tanh(scaled / cap) : scaled;
                maximum = Math.max(maximum, y[c]);
            }
            double sum = 0;
            double moment = 0;
            for (int c = first; c <= i; c++) {
                sum += Math.exp(y[c] - maximum);
                moment += Math.exp(y[c] - maximum) * (maximum - y[c]);
            }
            for (int c = 0; c < length; c++) {
                int at = row * length + c;
                Supplier<String> where = () -> label + ", " + type + ", row " + at / length + ", column " + at % length;
                boolean seen = c >= first && c <= i;
                double distance = seen ? maximum - y[c] : 0;
                double exact = seen ? Math.exp(-distance) / sum : 0;
                double relative = 3 * (distance + moment / sum + 0.1) * Bounds.ROUNDING
                        + 2 * Bounds.EX2
                        + (length / 32 + 12) * Bounds.ROUNDING
                        + 4 * cap * (3 * Bounds.EX2 + 6 * Bounds.ROUNDING);
                double bound = seen ? exact * relative + Bounds.rounding(type, exact) + Float.MIN_NORMAL : 0;
                Bounds.requireClose(weights[at], exact, bound, where);
            }
        }
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
