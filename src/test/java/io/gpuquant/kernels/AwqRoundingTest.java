package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.AwqKernels.Codes;
import io.gpuquant.kernels.AwqKernels.Cut;
import io.gpuquant.kernels.AwqKernels.Cuts;
import io.gpuquant.kernels.AwqKernels.Rounding;
import io.gpuquant.kernels.QuantizationGrid.Search;
import io.gpuquant.tensor.DType;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Class A: every operation is rounded to nearest in a fixed order, so kernel, twin and oracle agree to the last bit. */
class AwqRoundingTest {

    @SuppressWarnings("ArrayRecordComponent") // Arrays are compared element by element.
    record Rounded(float[] values, float[] errors, byte[] codes, short[] scales, byte[] zeros) {}

    @ParameterizedTest
    @CsvSource({
        "1, 1, 4, 4, false, true, F32, false",
        "31, 2, 36, 4, false, true, F16, true",
        "33, 3, 32, 3, true, true, BF16, false",
        "5, 2, 128, 8, false, false, F32, false",
        "34, 1, 160, 2, true, false, F32, true"
    })
    void agreesWithTheRule(
            int rows,
            int groups,
            int groupSize,
            int bits,
            boolean symmetric,
            boolean scaled,
            DType dtype,
            boolean bf16Scales) {
        int columns = groups * groupSize;
        SplittableRandom random = new SplittableRandom(columns);
        QuantizationGrid grid = new QuantizationGrid(bits, symmetric, 0, Search.MIN_MAX, bf16Scales);
        float[] weights = Matrices.normal(random, rows * columns, 0.02);
        for (int i = 0; i < groupSize; i++) {
            weights[i] = Math.abs(weights[i]);
        }
        java.util.Arrays.fill(weights, weights.length - groupSize, weights.length, 0f);
        float[] scales = new float[columns];
        byte[] cuts = new byte[rows * groups];
        for (int i = 0; i < columns; i++) {
            scales[i] = scaled ? (float) Math.exp(random.nextGaussian()) : 1;
        }
        for (int i = 0; i < cuts.length; i++) {
            cuts[i] = (byte) random.nextInt(AwqKernels.CUTS);
        }

        Rounded found = KernelRig.kernelsAndTwins(rig -> {
            Rounding rounding = new Rounding(
                    rig.floats(rows, columns, weights),
                    scaled ? rig.floats(1, columns, scales) : null,
                    groupSize,
                    grid,
                    new Cut(rig.bytes(rows, groups, cuts), 0));
            DeviceMatrix values = rig.empty(dtype, rows, columns);
            DeviceMatrix errors = rig.empty(DType.F32, rows, columns);
            DeviceMatrix codes = rig.empty(DType.U8, rows, columns);
            DeviceMatrix gridScales = rig.emptyWindow(DType.F16, groups, rows, 1, rows + 3);
            DeviceMatrix zeros = rig.emptyWindow(DType.U8, groups, rows, 2, rows + 3);
            rig.awq().roundedWeights(rounding, values);
            rig.awq().roundingErrors(rounding, errors, new Codes(codes, gridScales, zeros));
            rig.requireUntouchedAround(gridScales);
            rig.requireUntouchedAround(zeros);
            return new Rounded(
                    rig.valuesOf(values),
                    rig.floatsOf(errors),
                    rig.bytesOf(codes),
                    rig.halvesOf(gridScales),
                    rig.bytesOf(zeros));
        });

        KernelRig.assertSame(
                "rounded", found, expected(weights, scales, cuts, rows, groups, groupSize, grid, scaled, dtype));
    }

    private static Rounded expected(
            float[] weights,
            float[] scales,
            byte[] cuts,
            int rows,
            int groups,
            int groupSize,
            QuantizationGrid grid,
            boolean scaled,
            DType dtype) {
        int columns = groups * groupSize;
        Rounded result = new Rounded(
                new float[weights.length],
                new float[weights.length],
                new byte[weights.length],
                new short[rows * groups],
                new byte[rows * groups]);
        for (int row = 0; row < rows; row++) {
            for (int group = 0; group < groups; group++) {
                float[] v = new float[groupSize];
                for (int i = 0; i < groupSize; i++) {
                    int column = group * groupSize + i;
                    v[i] = weights[row * columns + column] * scales[column];
                }
                GridOracle oracle = oracle(v, cuts[row * groups + group], grid);
                result.scales[group * rows + row] = oracle.scaleBits();
                result.zeros[group * rows + row] = (byte) oracle.zero();
                for (int i = 0; i < groupSize; i++) {
                    int column = group * groupSize + i;
                    int at = row * columns + column;
                    int code = oracle.code(v[i]);
                    float value = oracle.value(code) / scales[column];
                    result.codes[at] = (byte) code;
                    result.errors[at] = weights[at] - value;
                    result.values[at] = rounded(value, dtype);
                }
            }
        }
        return result;
    }

    private static float rounded(float value, DType dtype) {
        return switch (dtype) {
            case F16 -> Float.float16ToFloat(Float.floatToFloat16(value));
            case BF16 -> io.gpuquant.tensor.BFloat16.toFloat(io.gpuquant.tensor.BFloat16.fromFloat(value));
            default -> value;
        };
    }

    private static GridOracle oracle(float[] v, int cut, QuantizationGrid grid) {
        float lo = 0;
        float hi = 0;
        for (float value : v) {
            lo = Math.min(lo, value);
            hi = Math.max(hi, value);
        }
        float limit = Math.max(hi, -lo) * ((20 - cut) / 20f);
        hi = grid.symmetric() ? limit : Math.min(hi, limit);
        lo = grid.symmetric() ? -limit : Math.max(lo, -limit);
        return GridOracle.ofRange(lo == 0 && hi == 0 ? -1 : lo, lo == 0 && hi == 0 ? 1 : hi, grid);
    }

    @Test
    void isRoundingToNearestWithoutScalesAndCuts() {
        int rows = 40;
        float[] weights = Matrices.normal(new SplittableRandom(1), rows * 64, 0.1);
        QuantizationGrid grid = new QuantizationGrid(4, false, 0, Search.MIN_MAX);
        try (KernelRig rig = KernelRig.fast()) {
            DeviceMatrix errors = rig.empty(DType.F32, rows, 64);
            Codes codes = codes(rig, rows);
            rig.awq()
                    .roundingErrors(
                            new Rounding(rig.floats(rows, 64, weights), null, 32, grid, Cut.NONE), errors, codes);
            DeviceMatrix plain = rig.floats(rows, 64, weights);
            Codes expected = codes(rig, rows);
            int[] groups = new int[64];
            java.util.Arrays.fill(groups, 32, 64, 1);
            rig.quantize().findGrids(plain, 32, grid, expected.scales(), expected.zeros());
            rig.quantize()
                    .round(
                            plain,
                            expected.codes(),
                            expected.scales(),
                            expected.zeros(),
                            rig.integers(1, 64, groups),
                            grid);
            assertThat(rig.bytesOf(codes.codes())).isEqualTo(rig.bytesOf(expected.codes()));
            assertThat(rig.halvesOf(codes.scales())).isEqualTo(rig.halvesOf(expected.scales()));
            assertThat(rig.bytesOf(codes.zeros())).isEqualTo(rig.bytesOf(expected.zeros()));
            assertThat(rig.floatsOf(errors)).isEqualTo(rig.floatsOf(plain));
        }
    }

    private static Codes codes(KernelRig rig, int rows) {
        return new Codes(rig.empty(DType.U8, rows, 64), rig.empty(DType.F16, 2, rows), rig.empty(DType.U8, 2, rows));
    }

    @SuppressWarnings("ArrayRecordComponent") // Arrays are compared element by element.
    record Chosen(float[] losses, byte[] cuts) {}

    @ParameterizedTest
    @CsvSource({"1, 1, 4", "33, 3, 36", "9, 2, 128"})
    void keepsTheCutWithTheLeastLoss(int rows, int groups, int groupSize) {
        int columns = groups * groupSize;
        SplittableRandom random = new SplittableRandom(groupSize);
        float[][] errors = new float[3][];
        float[][] products = new float[3][];
        for (int k = 0; k < 3; k++) {
            errors[k] = Matrices.normal(random, rows * columns, 1);
            products[k] = Matrices.normal(random, rows * columns, 1);
        }

        Chosen found = KernelRig.kernelsAndTwins(rig -> {
            Cuts best = new Cuts(rig.empty(DType.F32, rows, groups), rig.empty(DType.U8, rows, groups));
            for (int k = 0; k < 3; k++) {
                rig.awq()
                        .chooseCuts(
                                k,
                                rig.floats(rows, columns, errors[k]),
                                rig.floats(rows, columns, products[k]),
                                groupSize,
                                best);
            }
            return new Chosen(rig.floatsOf(best.losses()), rig.bytesOf(best.cuts()));
        });

        for (int row = 0; row < rows; row++) {
            for (int group = 0; group < groups; group++) {
                float best = 0;
                int cut = -1;
                for (int k = 0; k < 3; k++) {
                    float loss = loss(errors[k], products[k], row * columns + group * groupSize, groupSize);
                    if (cut < 0 || loss < best) {
                        best = loss;
                        cut = k;
                    }
                }
                assertThat(found.losses()[row * groups + group]).isEqualTo(best);
                assertThat(found.cuts()[row * groups + group]).isEqualTo((byte) cut);
            }
        }
    }

    private static float loss(float[] errors, float[] products, int first, int groupSize) {
        float[] part = new float[8];
        for (int i = 0; i < groupSize; i++) {
            part[i / 4 % 8] = Math.fma(errors[first + i], products[first + i], part[i / 4 % 8]);
        }
        return GridOracle.sumOfParts(part);
    }

    @Test
    void refusesGridsThatAreNotThoseOfTheFormat() {
        try (KernelRig rig = KernelRig.fast()) {
            DeviceMatrix weights = rig.floats(1, 8, new float[8]);
            assertRefused(weights, new QuantizationGrid(4, false, 1, Search.MIN_MAX), null, "AWQ with");
            assertRefused(weights, new QuantizationGrid(4, false, 0, Search.MSE), null, "AWQ with");
            QuantizationGrid grid = new QuantizationGrid(4, false, 0, Search.MIN_MAX);
            assertRefused(weights, grid, rig.floats(1, 4, new float[4]), "is not 1 x 8");
            assertThatThrownBy(() -> new Cut(null, AwqKernels.CUTS)).hasMessageContaining("cut number 10");
        }
    }

    private static void assertRefused(
            DeviceMatrix weights, QuantizationGrid grid, @Nullable DeviceMatrix scales, String message) {
        assertThatThrownBy(() -> new Rounding(weights, scales, 4, grid, Cut.NONE))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
    }
}
