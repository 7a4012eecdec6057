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

final class ActivationKernelsTest {

    private static final List<DType> TYPES = List.of(DType.F32, DType.F16, DType.BF16);
    private static final KernelLab LAB = new KernelLab("activation");

    @AfterAll
    static void close() {
        LAB.close();
    }

    @ParameterizedTest
    @CsvSource({
        "1, 1, 0, 1",
        "33, 31, 0, 31",
        "31, 33, 1, 40",
        "3, 127, 0, 128",
        "3, 129, 4, 132",
        "9, 132, 4, 136",
        "5, 64, 0, 67",
        "5, 64, 2, 64",
        "2, 1036, 0, 1036",
        "69, 516, 0, 516"
    })
    void swigluIsCloseForAllTypesShapesAndWindows(int rows, int columns, int offset, int stride) {
        float[] gate = gaussian(rows * columns, 8, 1);
        float[] up = gaussian(rows * columns, 3, 2);
        for (DType type : TYPES) {
            requireSwiglu(type, rows, columns, new Place(offset, stride), gate, up);
        }
    }

    @Test
    void swigluIsCloseForGatesOfAllSizes() {
        float[] gate = {
            0f,
            -0f,
            1e-30f,
            -1e-30f,
            1e-45f,
            20f,
            -20f,
            80f,
            -80f,
            88f,
            -88f,
            88.8f,
            -88.8f,
            -103f,
            103f,
            1e4f,
            -1e4f,
            1e30f,
            -1e30f,
            Float.MAX_VALUE,
            -Float.MAX_VALUE
        };
        float[] up = gaussian(gate.length, 0.5, 3);
        requireSwiglu(DType.F32, 1, gate.length, new Place(0, gate.length), gate, up);
    }

    @Test
    void swigluOfInfiniteGatesIsInfiniteOrNan() {
        float[] gate = {Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN, Float.POSITIVE_INFINITY};
        float[] up = {2f, 2f, 2f, -2f};
        assertThat(swiglu(DType.F32, 1, 4, new Place(0, 4), gate, up))
                .allSatisfy(outcome -> assertThat(outcome.result())
                        .as(outcome.label())
                        .containsExactly(Float.POSITIVE_INFINITY, Float.NaN, Float.NaN, Float.NEGATIVE_INFINITY));
    }

    /**
     * Relative errors: of the exponent's argument, a product and a constant, each rounded, times the gate, and nothing of it
     * where the exponential vanishes beside one; of ex2; of an addition, a division and a multiplication. exp overflows at
     * -88.7 already, where the true result is below 3e-37 times up.
     */
    private static void requireSwiglu(DType type, int rows, int columns, Place place, float[] gate, float[] up) {
        assertThat(swiglu(type, rows, columns, place, gate, up)).allSatisfy(outcome -> {
            for (int i = 0; i < gate.length; i++) {
                double sigmoid = 1 / (1 + Math.exp(-(double) gate[i]));
                double exact = gate[i] * sigmoid * up[i];
                double relative = (2 * Math.abs((double) gate[i]) * Bounds.ROUNDING + Bounds.EX2) * (1 - sigmoid)
                        + 3 * Bounds.ROUNDING;
                double bound = Math.abs(exact) * Math.min(relative, 1)
                        + 3e-37 * Math.abs(up[i])
                        + Bounds.rounding(type, exact);
                int at = i;
                Bounds.requireClose(
                        outcome.result()[i],
                        exact,
                        bound,
                        () -> outcome.label() + ", " + type + ", gate " + gate[at] + ", up " + up[at]);
            }
        });
    }

    private static List<Outcome<float[]>> swiglu(
            DType type, int rows, int columns, Place place, float[] gate, float[] up) {
        return LAB.approximately(run -> {
            DeviceMatrix out = run.empty(type, rows, columns);
            new ActivationKernels(run.stream(), run.kernels())
                    .swiglu(
                            run.put(DType.F32, rows, columns, place, gate),
                            run.put(DType.F32, rows, columns, place, up),
                            out);
            return run.values(out);
        });
    }

    @ParameterizedTest
    @CsvSource({
        "1, 1, 0, 1",
        "33, 31, 0, 31",
        "31, 33, 1, 40",
        "3, 127, 0, 128",
        "9, 132, 4, 136",
        "5, 64, 0, 67",
        "5, 64, 2, 64",
        "2, 1036, 0, 1036"
    })
    void addsABiasToEveryRowOfAWindow(int rows, int columns, int offset, int stride) {
        float[] values = gaussian(rows * columns, 1, 4);
        float[] bias = gaussian(columns, 1, 5);
        for (DType type : TYPES) {
            float[] rounded = KernelRun.rounded(type, bias);
            float[] expected = new float[values.length];
            for (int i = 0; i < values.length; i++) {
                expected[i] = values[i] + rounded[i % columns];
            }
            List<Outcome<float[]>> outcomes = LAB.exactly(run -> {
                DeviceMatrix matrix = run.patterned(DType.F32, rows, columns, new Place(offset, stride));
                run.fill(matrix, values);
                new ActivationKernels(run.stream(), run.kernels()).addBias(matrix, run.put(type, 1, columns, bias));
                run.requireUntouchedAround(matrix);
                return run.values(matrix);
            });
            assertThat(outcomes)
                    .allSatisfy(outcome ->
                            assertThat(outcome.result()).as(outcome.label()).isEqualTo(expected));
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 0, 0", "33, 31, 0, 0", "4, 64, 0, 1", "4, 64, 2, 2", "9, 132, 4, 0", "1, 9001, 0, 0"})
    void addsToTheResidualStream(int rows, int columns, int hiddenOffset, int deltaOffset) {
        float[] hidden = gaussian(rows * columns, 1, 6);
        float[] delta = gaussian(rows * columns, 1, 7);
        float[] expected = new float[hidden.length];
        for (int i = 0; i < expected.length; i++) {
            expected[i] = hidden[i] + delta[i];
        }
        List<Outcome<float[]>> outcomes = LAB.exactly(run -> {
            DeviceMatrix matrix = run.put(DType.F32, rows, columns, new Place(hiddenOffset, columns), hidden);
            new ActivationKernels(run.stream(), run.kernels())
                    .residualAdd(matrix, run.put(DType.F32, rows, columns, new Place(deltaOffset, columns), delta));
            return run.values(matrix);
        });
        assertThat(outcomes)
                .allSatisfy(outcome ->
                        assertThat(outcome.result()).as(outcome.label()).isEqualTo(expected));
    }

    @Test
    void leavesEmptyMatricesAlone() {
        LAB.fast(run -> {
            ActivationKernels kernels = new ActivationKernels(run.stream());
            DeviceMatrix empty = run.empty(DType.F32, 0, 4);
            kernels.swiglu(empty, empty, empty);
            kernels.addBias(empty, run.empty(DType.F32, 1, 4));
            kernels.residualAdd(empty, empty);
            return true;
        });
    }

    @Test
    void refusesWrongTypesAndExtents() {
        LAB.fast(run -> {
            ActivationKernels kernels = new ActivationKernels(run.stream());
            DeviceMatrix floats = run.put(DType.F32, 2, 4, new float[8]);
            DeviceMatrix halves = run.put(DType.F16, 2, 4, new float[8]);
            DeviceMatrix window = run.put(DType.F32, 2, 4, new Place(0, 5), new float[8]);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.swiglu(floats, window, run.empty(DType.F32, 2, 4)))
                    .withMessageContaining("different strides");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.swiglu(halves, floats, run.empty(DType.F32, 2, 4)))
                    .withMessageContaining("is not of F32");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.swiglu(floats, floats, window))
                    .withMessageContaining("is not dense");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.swiglu(floats, floats, run.empty(DType.I32, 2, 4)))
                    .withMessageContaining("is not of F32, F16 or BF16");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.addBias(floats, floats))
                    .withMessageContaining("is not 1 x 4");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.addBias(halves, floats.rows(0, 1)))
                    .withMessageContaining("is not of F32");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.residualAdd(floats, window))
                    .withMessageContaining("is not dense");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.residualAdd(floats, run.empty(DType.F32, 4, 2)))
                    .withMessageContaining("is not 2 x 4");
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
