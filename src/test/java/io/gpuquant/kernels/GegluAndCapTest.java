package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.KernelRun.Place;
import io.gpuquant.tensor.DType;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The gated GELU and the smooth bound of Gemma, within float64's by bounds that follow from the operations. */
final class GegluAndCapTest {

    private static final List<DType> TYPES = List.of(DType.F32, DType.F16, DType.BF16);
    private static final double ROOT = Math.sqrt(2 / Math.PI);
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
        "3, 129, 4, 132",
        "9, 132, 4, 136",
        "5, 64, 2, 64",
        "3, 1036, 0, 1036"
    })
    void gegluIsCloseForAllTypesShapesAndWindows(int rows, int columns, int offset, int stride) {
        float[] gate = gaussian(rows * columns, 3, 1);
        float[] up = gaussian(rows * columns, 3, 2);
        for (DType type : TYPES) {
            requireGeglu(type, rows, columns, new Place(offset, stride), gate, up);
        }
    }

    @Test
    void gegluIsCloseForGatesOfAllSizes() {
        float[] gate = {
            0f, -0f, 1e-30f, -1e-30f, 1e-45f, 0.5f, -0.5f, 4f, -4f, 9.9f, -9.9f, -10.1f, -11f, 50f, -50f, 1e10f, -1e10f,
            1e30f, -1e30f
        };
        requireGeglu(DType.F32, 1, gate.length, new Place(0, gate.length), gate, gaussian(gate.length, 0.5, 3));
    }

    @Test
    void gegluOfInfiniteGatesIsInfiniteOrNan() {
        float[] gate = {Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN, Float.POSITIVE_INFINITY};
        float[] up = {2f, 2f, 2f, -2f};
        assertThat(geglu(DType.F32, 1, 4, new Place(0, 4), gate, up))
                .allSatisfy(outcome -> assertThat(outcome.result())
                        .as(outcome.label())
                        .containsExactly(Float.POSITIVE_INFINITY, Float.NaN, Float.NaN, Float.NEGATIVE_INFINITY));
    }

    /**
     * Relative errors: of the exponent, four roundings, and nothing of it where the exponential vanishes beside one; of ex2; of
     * an addition, a division and a multiplication. exp overflows below -10.03, where the true result is below 3e-37 times up.
     */
    private static void requireGeglu(DType type, int rows, int columns, Place place, float[] gate, float[] up) {
        assertThat(geglu(type, rows, columns, place, gate, up)).allSatisfy(outcome -> {
            for (int i = 0; i < gate.length; i++) {
                double g = gate[i];
                double exponent = 2 * ROOT * (g + 0.044715 * g * g * g);
                double sigmoid = 1 / (1 + Math.exp(-exponent));
                double exact = g * sigmoid * up[i];
                double relative =
                        (4 * Math.abs(exponent) * Bounds.ROUNDING + Bounds.EX2) * (1 - sigmoid) + 3 * Bounds.ROUNDING;
                double bound = Math.abs(exact) * Math.min(Double.isNaN(relative) ? 1 : relative, 1)
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

    private static List<KernelLab.Outcome<float[]>> geglu(
            DType type, int rows, int columns, Place place, float[] gate, float[] up) {
        return LAB.approximately(run -> {
            DeviceMatrix out = run.empty(type, rows, columns);
            new ActivationKernels(run.stream(), run.kernels())
                    .gegluTanh(
                            run.put(DType.F32, rows, columns, place, gate),
                            run.put(DType.F32, rows, columns, place, up),
                            out);
            return run.values(out);
        });
    }

    /** Relative errors: 3 ex2 and 8 roundings. */
    @ParameterizedTest
    @CsvSource({"1, 1, 30", "33, 31, 30", "3, 129, 0.5", "17, 516, 30"})
    void capIsClose(int rows, int columns, float cap) {
        float[] values = gaussian(rows * columns, 40, 4);
        values[0] = 0.39f * cap;
        List<KernelLab.Outcome<float[]>> outcomes = LAB.approximately(run -> {
            DeviceMatrix x = run.put(DType.F32, rows, columns, new Place(1, columns), values);
            new ActivationKernels(run.stream(), run.kernels()).softCap(x, cap);
            return run.values(x);
        });
        assertThat(outcomes).allSatisfy(outcome -> {
            for (int i = 0; i < values.length; i++) {
                double exact = cap * Math.tanh(values[i] / cap);
                float value = values[i];
                Bounds.requireClose(
                        outcome.result()[i],
                        exact,
                        Math.abs(exact) * (3 * Bounds.EX2 + 8 * Bounds.ROUNDING),
                        () -> outcome.label() + ", " + value);
            }
        });
    }

    @Test
    void capKeepsSmallValuesAndSignsAndBoundsLargeOnes() {
        float[] values = {0f, -0f, 1e-30f, -1e-7f, 1e30f, -1e30f, Float.POSITIVE_INFINITY, Float.NaN};
        float[] capped = LAB.fast(run -> {
            DeviceMatrix x = run.put(DType.F32, 1, values.length, values);
            new ActivationKernels(run.stream(), run.kernels()).softCap(x, 30);
            return run.values(x);
        });
        assertThat(capped[0]).isZero();
        assertThat(capped[2] / 1e-30f).isBetween(0.999999f, 1.000001f);
        assertThat(capped[3] / -1e-7f).isBetween(0.999999f, 1.000001f);
        assertThat(capped[4]).isEqualTo(30);
        assertThat(capped[5]).isEqualTo(-30);
        assertThat(capped[6]).isEqualTo(30);
        assertThat(capped[7]).isNaN();
    }

    @Test
    void refusesCapsThatAreNone() {
        LAB.fast(run -> {
            ActivationKernels kernels = new ActivationKernels(run.stream());
            DeviceMatrix x = run.put(DType.F32, 1, 4, new float[4]);
            for (float cap : new float[] {0, -1, Float.NaN, Float.POSITIVE_INFINITY}) {
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> kernels.softCap(x, cap))
                        .withMessageContaining("a cap of");
            }
            kernels.softCap(run.empty(DType.F32, 0, 4), 1);
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
