package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.QuantizationGrid.Search;
import io.gpuquant.tensor.DType;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Class A: every operation is rounded to nearest in a fixed order, so kernel, twin and oracle agree to the last bit. */
class RoundToGridTest {

    @SuppressWarnings("ArrayRecordComponent") // Arrays are compared element by element.
    record Rounded(float[] errors, byte[] codes) {}

    @ParameterizedTest
    @CsvSource({"1, 1, 4", "31, 33, 2", "33, 31, 3", "2, 129, 8", "9, 300, 4"})
    void agreesWithTheRuleWhateverTheOrderOfGroups(int rows, int columns, int bits) {
        SplittableRandom random = new SplittableRandom(columns);
        QuantizationGrid grid = new QuantizationGrid(bits, false, 0, Search.MIN_MAX);
        int groups = 3;
        float[] weights = Matrices.normal(random, rows * columns, 0.02);
        short[] scales = new short[groups * rows];
        byte[] zeros = new byte[groups * rows];
        for (int i = 0; i < scales.length; i++) {
            scales[i] = Float.floatToFloat16((float) random.nextDouble(0.001, 0.05));
            zeros[i] = (byte) random.nextInt(grid.largestCode() + 1);
        }
        int[] columnGroups = random.ints(columns, 0, groups).toArray();

        Rounded expected = new Rounded(new float[weights.length], new byte[weights.length]);
        for (int i = 0; i < weights.length; i++) {
            int at = columnGroups[i % columns] * rows + i / columns;
            GridOracle oracle = new GridOracle(scales[at], Byte.toUnsignedInt(zeros[at]), grid.largestCode());
            expected.codes[i] = (byte) oracle.code(weights[i]);
            expected.errors[i] = oracle.error(weights[i]);
        }
        KernelRig.assertSame("rounded", round(rows, columns, weights, scales, zeros, columnGroups, grid), expected);
    }

    @Test
    void roundsHalvesToEven() {
        // A scale of one: weights are steps.
        float[] weights = {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, Math.nextUp(0.5f), Math.nextDown(1.5f)};
        Rounded rounded = roundOneGroup(weights, 1, 7);

        assertThat(rounded.codes).containsExactly(7, 9, 9, 7, 5, 8, 8);
    }

    @Test
    void givesWeightsOutOfReachTheNearestCodeAndNoOther() {
        float[] weights = {1e30f, -1e30f, 3e38f, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN, 4e6f, 1e7f
        };
        Rounded rounded = roundOneGroup(weights, Math.scalb(1f, -24), 8);

        assertThat(rounded.codes).containsExactly(15, 0, 15, 15, 0, 0, 15, 15);
        assertThat(rounded.errors[0]).isEqualTo(1e30f);
        assertThat(rounded.errors[5]).isNaN();
    }

    private static Rounded roundOneGroup(float[] weights, float scale, int zero) {
        return round(
                1,
                weights.length,
                weights,
                new short[] {Float.floatToFloat16(scale)},
                new byte[] {(byte) zero},
                new int[weights.length],
                new QuantizationGrid(4, false, 0, Search.MIN_MAX));
    }

    private static Rounded round(
            int rows,
            int columns,
            float[] weights,
            short[] scales,
            byte[] zeros,
            int[] columnGroups,
            QuantizationGrid grid) {
        int groups = scales.length / rows;
        return KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix errors = rig.window(rows, columns, 3, columns + 5, weights);
            DeviceMatrix codes = rig.emptyWindow(DType.U8, rows, columns, 1, columns + 2);
            rig.quantize()
                    .round(
                            errors,
                            codes,
                            rig.halves(groups, rows, scales),
                            rig.bytes(groups, rows, zeros),
                            rig.integers(1, columns, columnGroups),
                            grid);
            rig.requireUntouchedAround(errors);
            rig.requireUntouchedAround(codes);
            return new Rounded(rig.floatsOf(errors), rig.bytesOf(codes));
        });
    }
}
