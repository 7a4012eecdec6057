package io.gpuquant.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.kernels.AwqKernels;
import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Class E: losses within 0.1 % of those of float64. */
class AwqSearchTest {

    private static final Device DEVICE = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1));

    @AfterAll
    static void close() {
        DEVICE.close();
    }

    @ParameterizedTest
    @CsvSource({
        "4, 32, true, false, 1",
        "4, 128, true, false, 2",
        "3, 32, true, false, 3",
        "4, 64, false, false, 4",
        "4, 64, true, true, 5",
        "2, 64, true, false, 6"
    })
    void findsTheScalesOfTheReference(int bits, int groupSize, boolean duo, boolean symmetric, long seed) {
        AwqInput input = AwqInput.random(40, 128, 200, seed);
        QuantizationGrid grid = grid(bits, symmetric);

        ScaleSearch.Found found = search(input, new AwqOptions(grid, groupSize, 20, duo, false));

        double[] expected = new double[21];
        double[] shares = ReferenceAwq.shares(input.matrix(), groupSize);
        for (int k = 0; k <= 20; k++) {
            double[] scales = ReferenceAwq.scales(input.means(), shares, (k - 1) / 20.0, duo);
            if (k == 0) {
                java.util.Arrays.fill(scales, 1);
            }
            expected[k] = ReferenceAwq.gramLoss(
                    input.matrix(), ReferenceAwq.rounded(input.matrix(), scales, groupSize, grid), input.gram());
            // A weight between two integers may go either way; on a matrix this small, one is seen in the sum.
            assertThat(found.losses()[k]).as("candidate " + k).isCloseTo(expected[k], within(1e-3 * expected[k]));
        }
        double least = java.util.Arrays.stream(expected).min().orElseThrow();
        assertThat(found.loss()).isCloseTo(least, within(1e-3 * least));
        double ratio = Objects.requireNonNull(found.ratio());
        int candidate = (int) Math.rint(ratio * 20) + 1;
        assertThat(expected[candidate]).isCloseTo(least, within(1e-3 * least));
        double[] scales = ReferenceAwq.scales(input.means(), shares, ratio, duo);
        float[] foundScales = found.scales().orElseThrow();
        for (int i = 0; i < scales.length; i++) {
            assertThat((double) foundScales[i]).isCloseTo(scales[i], within(1e-4 * scales[i]));
        }
        assertThat(found.loss()).isLessThan(found.lossWithout());
    }

    @Test
    void scalesNothingWhereNoScalingIsBetter() {
        // Every input alike and every weight alike: all candidates are the same.
        float[] weights = new float[8 * 64];
        float[] x = new float[16 * 64];
        java.util.Arrays.fill(weights, 0.5f);
        java.util.Arrays.fill(x, 1f);

        ScaleSearch.Found found =
                search(new AwqInput(8, 64, 16, weights, x), new AwqOptions(grid(4, false), 32, 20, true, false));

        assertThat(found.scales()).isEmpty();
        assertThat(found.ratio()).isNull();
        assertThat(found.loss()).isEqualTo(found.lossWithout());
    }

    @Test
    void triesNothingWithoutRatios() {
        AwqInput input = AwqInput.random(8, 64, 20, 9);
        ScaleSearch.Found found = search(input, new AwqOptions(grid(4, false), 64, 0, true, false));
        assertThat(found.losses()).hasSize(1);
        assertThat(found.scales()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"4, 32, false", "3, 64, false", "4, 128, true"})
    void cutsRangesAsTheReferenceAndNeverForTheWorse(int bits, int groupSize, boolean symmetric) {
        AwqInput input = AwqInput.random(20, 128, 150, groupSize);
        QuantizationGrid grid = grid(bits, symmetric);
        byte[] cuts = cuts(input, new AwqOptions(grid, groupSize, 20, true, true));

        double[][] weights = input.matrix();
        double[][] gram = input.gram();
        int groups = 128 / groupSize;
        int cut = 0;
        for (int row = 0; row < 20; row++) {
            for (int group = 0; group < groups; group++) {
                double[] losses = new double[AwqKernels.CUTS];
                double least = Double.POSITIVE_INFINITY;
                for (int k = 0; k < losses.length; k++) {
                    double[] w = java.util.Arrays.copyOfRange(weights[row], group * groupSize, (group + 1) * groupSize);
                    double[] q = ReferenceAwq.rounded(w, 1 - 0.05 * k, grid);
                    for (int i = 0; i < w.length; i++) {
                        w[i] -= q[i];
                    }
                    losses[k] = ReferenceAwq.quadratic(w, gram, group * groupSize);
                    least = Math.min(least, losses[k]);
                }
                int chosen = cuts[row * groups + group];
                cut += chosen > 0 ? 1 : 0;
                assertThat(losses[chosen]).isCloseTo(least, within(0.02 * least));
                assertThat(losses[chosen]).isLessThanOrEqualTo(losses[0] * (1 + 1e-3));
            }
        }
        assertThat(cut).isPositive();
    }

    @ParameterizedTest
    @CsvSource({"true", "false"})
    void reportsTheErrorOfTheOriginalLinears(boolean clip) {
        AwqInput input = AwqInput.random(24, 64, 100, 8);
        QuantizationGrid grid = grid(4, false);
        float[] in = new float[64];
        float[] out = new float[24];
        for (int i = 0; i < 64; i++) {
            in[i] = 0.5f + i / 32f;
        }
        java.util.Arrays.fill(out, 1);
        java.util.Arrays.fill(out, 16, 24, 4);
        AwqOptions options = new AwqOptions(grid, 32, 20, true, clip);

        DeviceMatrix weights = upload(input.weights(), 24);
        DeviceMatrix gram = upload(flat(input.gram()), 64);
        try (var weightBuffer = weights.buffer();
                var gramBuffer = gram.buffer()) {
            StageTask task = new StageTask(List.of("q", "v"), List.of(16, 8), weights, gram);
            try (QuantizedStage stage =
                    new AwqMethod(DEVICE, options).quantize(task, new AwqMethod.Fold(in, out, List.of(0)))) {
                byte[] codes = new byte[24 * 64];
                byte[] zeros = new byte[2 * 24];
                short[] scales = new short[2 * 24];
                DEVICE.stream().copyToHost(StageCodes.bytes(stage.codes()).matrix(), MemorySegment.ofArray(codes));
                DEVICE.stream().copyToHost(stage.zeros(), MemorySegment.ofArray(zeros));
                DEVICE.stream().copyToHost(stage.scales(), MemorySegment.ofArray(scales));
                DEVICE.stream().synchronize();
                double[][] stored = new double[24][64];
                for (int i = 0; i < codes.length; i++) {
                    int grids = i % 64 / 32 * 24 + i / 64;
                    double value = Float.float16ToFloat(scales[grids]) * (codes[i] - zeros[grids]);
                    // What the stored linear computes, with its input divided and its output multiplied.
                    stored[i / 64][i % 64] = value / in[i % 64] * out[i / 64];
                }
                double[][] original = input.matrix();
                for (int linear = 0; linear < 2; linear++) {
                    int from = linear == 0 ? 0 : 16;
                    int to = linear == 0 ? 16 : 24;
                    double error = ReferenceAwq.gramLoss(
                            java.util.Arrays.copyOfRange(original, from, to),
                            java.util.Arrays.copyOfRange(stored, from, to),
                            input.gram());
                    double norm = ReferenceAwq.gramLoss(
                            java.util.Arrays.copyOfRange(original, from, to), new double[to - from][64], input.gram());
                    assertThat(stage.reports().get(linear).error())
                            .isCloseTo(error / norm, within(1e-3 * error / norm));
                    assertThat(stage.reports().get(linear).method()).isEqualTo("awq");
                }
            }
        }
    }

    @Test
    void refusesATaskWithoutData() {
        DeviceMatrix weights = upload(new float[64], 1);
        AwqOptions options = new AwqOptions(grid(4, false), 32, 20, true, true);
        StageTask task = new StageTask(List.of("q"), List.of(1), weights, null);
        assertThatThrownBy(() -> new AwqMethod(DEVICE, options)
                        .quantize(task, new AwqMethod.Fold(new float[64], new float[1], List.of())))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("without a Gram matrix");
        weights.buffer().close();
    }

    @Test
    void refusesOptionsThatMeanNothing() {
        assertThatThrownBy(() -> new AwqOptions(grid(4, false), 0, 20, true, true))
                .hasMessageContaining("groups of 0");
        assertThatThrownBy(() -> new AwqOptions(grid(4, false), 32, -1, true, true))
                .hasMessageContaining("-1 ratios");
    }

    private static QuantizationGrid grid(int bits, boolean symmetric) {
        return new QuantizationGrid(bits, symmetric, 0, QuantizationGrid.Search.MIN_MAX);
    }

    private static ScaleSearch.Found search(AwqInput input, AwqOptions options) {
        DeviceMatrix weights = upload(input.weights(), input.rows());
        DeviceMatrix gram = upload(flat(input.gram()), input.in());
        DeviceMatrix x = upload(input.x(), input.tokens());
        DeviceMatrix sums = upload(new float[AwqKernels.BANDS * input.in()], AwqKernels.BANDS);
        try (var weightBuffer = weights.buffer();
                var gramBuffer = gram.buffer();
                var xBuffer = x.buffer();
                var sumBuffer = sums.buffer();
                GramLoss loss = new GramLoss(DEVICE, input.rows(), gram)) {
            new AwqKernels(DEVICE.stream()).addAbsoluteSums(x, sums);
            return new ScaleSearch(DEVICE, options).search(weights, new AwqKernels.Mean(sums, input.tokens()), loss);
        }
    }

    private static byte[] cuts(AwqInput input, AwqOptions options) {
        DeviceMatrix weights = upload(input.weights(), input.rows());
        DeviceMatrix gram = upload(flat(input.gram()), input.in());
        DeviceMatrix cuts = DeviceMatrix.allocate(
                DEVICE, "cuts", DType.U8, input.rows(), input.in() / options.groupSize(input.in()));
        try (var weightBuffer = weights.buffer();
                var gramBuffer = gram.buffer();
                var cutBuffer = cuts.buffer()) {
            new CutSearch(DEVICE, options).search(weights, gram, cuts);
            byte[] values = new byte[(int) cuts.elementCount()];
            DEVICE.stream().copyToHost(cuts, MemorySegment.ofArray(values));
            DEVICE.stream().synchronize();
            return values;
        }
    }

    private static float[] flat(double[][] matrix) {
        float[] flat = new float[matrix.length * matrix[0].length];
        for (int i = 0; i < flat.length; i++) {
            flat[i] = (float) matrix[i / matrix[0].length][i % matrix[0].length];
        }
        return flat;
    }

    private static DeviceMatrix upload(float[] values, int rows) {
        DeviceMatrix matrix = DeviceMatrix.allocate(DEVICE, "test", DType.F32, rows, values.length / rows);
        DEVICE.stream().copyToDevice(MemorySegment.ofArray(values), matrix);
        return matrix;
    }
}
