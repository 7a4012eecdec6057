package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.QuantizationGrid.Search;
import io.gpuquant.tensor.BFloat16;
import io.gpuquant.tensor.DType;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Class A: every operation is rounded to nearest in a fixed order, so kernel, twin and oracle agree to the last bit. */
class FindGridsTest {

    @SuppressWarnings("ArrayRecordComponent") // Arrays are compared element by element.
    record Grids(short[] scales, byte[] zeros) {}

    private static final int SUBNORMAL = 1;
    private static final int LARGEST_FINITE = 0x7bff;
    private static final int LARGEST_OF_BOTH = 0x7bf8;

    @ParameterizedTest
    @CsvSource({
        // rows, groups, group size, offset and extra stride of the window
        "1, 1, 1, 0, 0",
        "33, 2, 31, 3, 2",
        "5, 3, 33, 0, 1",
        "31, 1, 127, 1, 0",
        "4, 2, 128, 0, 0",
        "3, 2, 48, 4, 4",
        "2, 1, 129, 0, 0"
    })
    void agreesWithTheRule(int rows, int groups, int groupSize, int offset, int extra) {
        float[] weights =
                Matrices.normal(new SplittableRandom(rows * 131L + groupSize), rows * groups * groupSize, 0.02);
        for (QuantizationGrid grid : grids(Search.MIN_MAX)) {
            KernelRig.assertSame(
                    grid.toString(),
                    find(rows, groups, groupSize, offset, extra, grid, weights),
                    oracle(rows, groups, groupSize, grid, weights));
        }
    }

    @ParameterizedTest
    @CsvSource({"4, true, 0", "4, false, 1", "2, false, 0", "3, false, 1", "8, true, 0"})
    void agreesWithTheRuleWhereItSearches(int bits, boolean symmetric, int smallestZero) {
        QuantizationGrid grid = new QuantizationGrid(bits, symmetric, smallestZero, Search.MSE);
        float[] weights = Matrices.normal(new SplittableRandom(bits), 5 * 3 * 36, 0.02);
        KernelRig.assertSame("grids", find(5, 3, 36, 1, 0, grid, weights), oracle(5, 3, 36, grid, weights));
    }

    @Test
    void searchLosesLessThanTheWholeRangeWhereAWeightSticksOut() {
        float[] group = Matrices.normal(new SplittableRandom(5), 512, 0.02);
        group[17] = 0.12f;
        QuantizationGrid searching = new QuantizationGrid(4, true, 0, Search.MSE);
        float whole = GridOracle.of(group, new QuantizationGrid(4, true, 0, Search.MIN_MAX))
                .loss(group);
        Grids found = find(1, 1, 512, 0, 0, searching, group);
        GridOracle best = new GridOracle(found.scales[0], found.zeros[0], 15);

        assertThat(best.loss(group)).isLessThan(0.8f * whole);
        for (int percent = 100; percent > 20; percent--) {
            short scale = Float.floatToFloat16(2 * 0.12f * (percent / 100f) / 15);
            assertThat(best.loss(group)).isLessThanOrEqualTo(new GridOracle(scale, 8, 15).loss(group));
        }
    }

    @Test
    void searchGoesDownToAFifthOfTheRange() {
        SplittableRandom random = new SplittableRandom(4);
        float[] group = new float[20_000];
        for (int i = 0; i < group.length; i++) {
            group[i] = (float) random.nextDouble(-0.1, 0.1);
        }
        group[0] = 1;
        try (KernelRig rig = KernelRig.fast()) {
            DeviceMatrix scales = rig.empty(DType.F16, 1, 1);
            DeviceMatrix zeros = rig.empty(DType.U8, 1, 1);
            QuantizationGrid grid = new QuantizationGrid(4, true, 0, Search.MSE);
            rig.quantize().findGrids(rig.floats(1, group.length, group), group.length, grid, scales, zeros);
            assertThat(rig.halvesOf(scales)).containsExactly(Float.floatToFloat16(2 * (21 / 100f) / 15));
        }
    }

    @Test
    void givesAGroupOfZerosTheGridOfWeightsWithinOne() {
        Grids symmetric = find(1, 1, 8, 0, 0, new QuantizationGrid(4, true, 0, Search.MSE), new float[8]);
        Grids asymmetric = find(1, 1, 8, 0, 0, new QuantizationGrid(4, false, 1, Search.MIN_MAX), new float[8]);

        assertThat(symmetric.scales).containsExactly(Float.floatToFloat16(2f / 15));
        assertThat(symmetric.zeros).containsExactly((byte) 8);
        assertThat(asymmetric.scales).containsExactly(Float.floatToFloat16(2f / 15));
        assertThat(asymmetric.zeros).containsExactly((byte) 8);
    }

    @Test
    void keepsTheLargestOfAllPositiveWeightsWithinReachWhereTheZeroPointIsRaised() {
        float[] weights = {0.5f, 1, 1.5f, 2};
        Grids free = find(1, 1, 4, 0, 0, new QuantizationGrid(4, false, 0, Search.MIN_MAX), weights);
        Grids raised = find(1, 1, 4, 0, 0, new QuantizationGrid(4, false, 1, Search.MIN_MAX), weights);

        assertThat(free.zeros).containsExactly((byte) 0);
        assertThat(free.scales).containsExactly(Float.floatToFloat16(2f / 15));
        assertThat(raised.zeros).containsExactly((byte) 1);
        assertThat(raised.scales).containsExactly(Float.floatToFloat16(2f / 14));
        assertThat(new GridOracle(raised.scales[0], 1, 15).code(2)).isEqualTo(15);
        assertThat(new GridOracle(raised.scales[0], 1, 15).error(2)).isCloseTo(0, within(2e-3f));
    }

    @Test
    void reachesTheSmallestOfAllNegativeWeights() {
        Grids found = find(1, 1, 2, 0, 0, new QuantizationGrid(4, false, 1, Search.MIN_MAX), -3, -1);

        assertThat(found.zeros).containsExactly((byte) 15);
        assertThat(new GridOracle(found.scales[0], 15, 15).code(-3)).isZero();
    }

    @Test
    void givesScalesThatBothHalfTypesHoldWhereFilesHaveBf16() {
        SplittableRandom random = new SplittableRandom(6);
        float[] weights = new float[400];
        for (int i = 0; i < weights.length; i++) {
            weights[i] = (float) Math.scalb(random.nextDouble(1, 2), random.nextInt(40) - 24);
        }
        for (boolean symmetric : new boolean[] {true, false}) {
            QuantizationGrid grid = new QuantizationGrid(4, symmetric, 0, Search.MIN_MAX, true);
            for (short bits : find(weights.length, 1, 1, 0, 0, grid, weights).scales) {
                float scale = Float.float16ToFloat(bits);
                assertThat(BFloat16.toFloat(BFloat16.fromFloat(scale))).isEqualTo(scale);
            }
        }
    }

    @Test
    void neverGivesAScaleOfZero() {
        for (QuantizationGrid grid : grids(Search.MSE)) {
            Grids found = find(1, 1, 4, 0, 0, grid, 1e-9f, -2e-9f, 3e-12f, Float.MIN_VALUE);
            assertThat(found.scales).containsExactly((short) SUBNORMAL);
        }
    }

    @Test
    void neverGivesAScaleThatIsInfinite() {
        for (QuantizationGrid grid : grids(Search.MSE)) {
            short largest = (short) (grid.bf16Scales() ? LARGEST_OF_BOTH : LARGEST_FINITE);
            assertThat(find(1, 1, 3, 0, 0, grid, 3e38f, -3e38f, 1).scales).containsExactly(largest);
            assertThat(find(1, 1, 2, 0, 0, grid, Float.POSITIVE_INFINITY, 1).scales)
                    .containsExactly(largest);
        }
    }

    @Test
    void ignoresWeightsThatAreNotNumbers() {
        QuantizationGrid grid = new QuantizationGrid(4, true, 0, Search.MIN_MAX);

        assertThat(find(1, 1, 3, 0, 0, grid, Float.NaN, 1, -0.5f).scales)
                .containsExactly(Float.floatToFloat16(2f / 15));
    }

    private static QuantizationGrid[] grids(Search search) {
        return new QuantizationGrid[] {
            new QuantizationGrid(4, true, 0, search),
            new QuantizationGrid(4, false, 0, search),
            new QuantizationGrid(4, false, 1, search),
            new QuantizationGrid(2, false, 1, search),
            new QuantizationGrid(3, true, 1, search),
            new QuantizationGrid(8, false, 1, search),
            new QuantizationGrid(4, true, 0, search, true),
            new QuantizationGrid(4, false, 1, search, true)
        };
    }

    private static Grids find(
            int rows, int groups, int groupSize, int offset, int extra, QuantizationGrid grid, float... weights) {
        int columns = groups * groupSize;
        Function<KernelRig, Grids> run = rig -> {
            DeviceMatrix input = rig.window(rows, columns, offset, columns + extra, weights);
            DeviceMatrix scales = rig.emptyWindow(DType.F16, groups, rows, 2, rows + 3);
            DeviceMatrix zeros = rig.emptyWindow(DType.U8, groups, rows, 1, rows + 3);
            rig.quantize().findGrids(input, groupSize, grid, scales, zeros);
            rig.requireUntouchedAround(scales);
            rig.requireUntouchedAround(zeros);
            return new Grids(rig.halvesOf(scales), rig.bytesOf(zeros));
        };
        return KernelRig.kernelsAndTwins(run);
    }

    private static Grids oracle(int rows, int groups, int groupSize, QuantizationGrid grid, float[] weights) {
        Grids result = new Grids(new short[groups * rows], new byte[groups * rows]);
        for (int row = 0; row < rows; row++) {
            for (int group = 0; group < groups; group++) {
                int first = (row * groups + group) * groupSize;
                GridOracle found = GridOracle.of(Arrays.copyOfRange(weights, first, first + groupSize), grid);
                result.scales[group * rows + row] = found.scaleBits();
                result.zeros[group * rows + row] = (byte) found.zero();
            }
        }
        return result;
    }
}
