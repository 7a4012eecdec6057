package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

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

final class ReductionKernelsTest {

    private static final KernelLab LAB = new KernelLab("reduce");

    @AfterAll
    static void close() {
        LAB.close();
    }

    /** Rows, columns, strides of both. Up to 256 rows of 129 are one block's; more are several blocks' of several turns. */
    @ParameterizedTest
    @CsvSource({
        "1, 1, 1, 1",
        "31, 33, 33, 40",
        "33, 31, 31, 31",
        "7, 127, 128, 127",
        "100, 129, 129, 130",
        "129, 4, 4, 4",
        "130, 260, 264, 260",
        "1, 3001, 3001, 3001",
        "2, 1028, 1028, 1032"
    })
    void sumsProductsOfAllShapesAndWindows(int rows, int columns, int strideA, int strideB) {
        requireSum(rows, columns, new Place(0, strideA), new Place(4, strideB));
    }

    @Test
    void handlesMatricesThatDoNotStartAtAVector() {
        requireSum(9, 64, new Place(1, 64), new Place(2, 68));
    }

    /** Every product is exact, and float64 additions in any order err by less than their count times 2^-53 of the terms. */
    private static void requireSum(int rows, int columns, Place placeA, Place placeB) {
        float[] a = gaussian(rows * columns, 1);
        float[] b = gaussian(rows * columns, 2);
        double exact = 0;
        double terms = 0;
        for (int i = 0; i < a.length; i++) {
            exact += (double) a[i] * b[i];
            terms += Math.abs((double) a[i] * b[i]);
        }
        double bound = 2.0 * a.length * 0x1p-53 * terms;
        double expected = exact;
        List<Outcome<Double>> outcomes = LAB.exactly(run -> new ReductionKernels(run.device(), run.kernels())
                .dot(run.put(DType.F32, rows, columns, placeA, a), run.put(DType.F32, rows, columns, placeB, b)));
        assertThat(outcomes)
                .allSatisfy(outcome ->
                        assertThat(outcome.result()).as(outcome.label()).isCloseTo(expected, within(bound)));
    }

    @Test
    void sumsLargeMatrices() {
        float[] ones = new float[1000 * 1032];
        java.util.Arrays.fill(ones, 1f);
        double sum = LAB.fast(run -> {
            DeviceMatrix matrix = run.put(DType.F32, 1000, 1032, ones);
            return new ReductionKernels(run.device()).dot(matrix, matrix);
        });
        assertThat(sum).isEqualTo(1_032_000.0);
    }

    @Test
    void losesNothingToCancellation() {
        float[] a = {1e20f, 1f, -1e20f, 1f};
        float[] b = {1e-10f, 1e-3f, 1e-10f, 1e-3f};
        List<Outcome<Double>> outcomes = LAB.exactly(run -> new ReductionKernels(run.device(), run.kernels())
                .dot(run.put(DType.F32, 1, 4, a), run.put(DType.F32, 1, 4, b)));
        assertThat(outcomes)
                .allSatisfy(outcome ->
                        assertThat(outcome.result()).as(outcome.label()).isCloseTo(2e-3, within(1e-5)));
    }

    @ParameterizedTest
    @CsvSource({"1, 4", "3, 700", "40, 516"})
    void keepsSumsOnTheDeviceUntilTheyAreRead(int rows, int columns) {
        float[] a = gaussian(rows * columns, 3);
        float[] b = gaussian(rows * columns, 4);
        double difference = 0;
        double dot = 0;
        for (int i = 0; i < a.length; i++) {
            difference += Math.pow(a[i] - b[i], 2);
            dot += (double) a[i] * b[i];
        }
        double expected = 2 * difference;
        double expectedDot = dot;
        List<Outcome<List<Double>>> outcomes = LAB.exactly(run -> {
            DeviceMatrix x = run.put(DType.F32, rows, columns, a);
            DeviceMatrix y = run.put(DType.F32, rows, columns, b);
            try (var sums = new ReductionKernels(run.device(), run.kernels()).sums(3, 2)) {
                sums.addSquaredDifference(2, x, y);
                sums.addDot(0, x, y);
                sums.addSquaredDifference(2, y, x);
                return java.util.Arrays.stream(sums.read()).boxed().toList();
            }
        });
        assertThat(outcomes).allSatisfy(outcome -> {
            assertThat(outcome.result().get(0)).as(outcome.label()).isCloseTo(expectedDot, within(1e-9 * a.length));
            assertThat(outcome.result().get(1)).as(outcome.label()).isZero();
            // Differences are rounded to float32 before they are squared.
            assertThat(outcome.result().get(2)).as(outcome.label()).isCloseTo(expected, within(1e-6 * expected));
        });
    }

    @Test
    void refusesMorePiecesThanThereIsRoomFor() {
        LAB.fast(run -> {
            DeviceMatrix one = run.put(DType.F32, 1, 4, new float[4]);
            try (var sums = new ReductionKernels(run.device()).sums(1, 1)) {
                sums.addDot(0, one, one);
                assertThatExceptionOfType(IllegalStateException.class)
                        .isThrownBy(() -> sums.addDot(0, one, one))
                        .withMessageContaining("more than 1 pieces");
            }
            return true;
        });
    }

    @Test
    void isZeroForEmptyMatrices() {
        double sum = LAB.fast(run -> {
            DeviceMatrix empty = run.empty(DType.F32, 3, 0);
            return new ReductionKernels(run.device()).dot(empty, empty);
        });
        assertThat(sum).isZero();
    }

    @Test
    void refusesWrongTypesAndExtents() {
        LAB.fast(run -> {
            ReductionKernels kernels = new ReductionKernels(run.device());
            DeviceMatrix floats = run.put(DType.F32, 2, 4, new float[8]);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.dot(floats, floats.columns(0, 3)))
                    .withMessageContaining("is not 2 x 4");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.dot(floats, run.put(DType.F16, 2, 4, new float[8])))
                    .withMessageContaining("is not of F32");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.dot(run.put(1, 2), floats))
                    .withMessageContaining("is not of F32");
            return true;
        });
    }

    private static float[] gaussian(int count, long seed) {
        Random random = new Random(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
