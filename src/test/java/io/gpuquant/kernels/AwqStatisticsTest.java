package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.AwqKernels.Mean;
import io.gpuquant.tensor.DType;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Class A between kernels and twins; against float64, what a few rounded operations may err by. */
class AwqStatisticsTest {

    @ParameterizedTest
    @CsvSource({"1, 4, F32", "31, 132, F32", "65, 128, F16", "130, 260, BF16"})
    void addsAbsoluteValuesPieceByPiece(int rows, int columns, DType dtype) {
        SplittableRandom random = new SplittableRandom(rows);
        float[] values = Matrices.normal(random, rows * columns, 3);

        float[] sums = KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix given = rig.window(rows, columns, 4, columns + 8, values);
            DeviceMatrix typed = rig.empty(dtype, rows, columns);
            new ConvertKernels(rig.stream()).convert(given, typed);
            DeviceMatrix partials = rig.floats(AwqKernels.BANDS, columns, new float[AwqKernels.BANDS * columns]);
            rig.awq().addAbsoluteSums(dtype == DType.F32 ? given : typed, partials);
            rig.awq().addAbsoluteSums(typed, partials);
            DeviceMatrix squares = rig.floats(AwqKernels.BANDS, columns, new float[AwqKernels.BANDS * columns]);
            rig.awq().addSquareSums(dtype == DType.F32 ? given : typed, squares);
            rig.awq().addSquareSums(typed, squares);
            int count = AwqKernels.BANDS * columns;
            float[] both = Arrays.copyOf(rig.floatsOf(partials), 2 * count);
            System.arraycopy(rig.floatsOf(squares), 0, both, count, count);
            return both;
        });

        for (int column = 0; column < columns; column++) {
            double expected = 0;
            double square = 0;
            for (int row = 0; row < rows; row++) {
                double x = values[row * columns + column];
                expected += 2 * Math.abs(x);
                square += 2 * x * x;
            }
            double squares = 0;
            for (int band = 0; band < AwqKernels.BANDS; band++) {
                squares += sums[(AwqKernels.BANDS + band) * columns + column];
            }
            assertThat(squares)
                    .as("squares of column " + column)
                    .isCloseTo(square, within((dtype == DType.F32 ? 1e-6 : dtype == DType.F16 ? 1e-3 : 8e-3) * square));
            double sum = 0;
            for (int band = 0; band < AwqKernels.BANDS; band++) {
                sum += sums[band * columns + column];
            }
            double bound = dtype == DType.F32 ? 1e-6 : dtype == DType.F16 ? 5e-4 : 4e-3;
            assertThat(sum).as("column " + column).isCloseTo(expected, within(bound * expected));
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 4", "3, 2, 36", "9, 3, 128"})
    void dividesWeightsByTheLargestOfTheirGroup(int rows, int groups, int groupSize) {
        int columns = groups * groupSize;
        float[] weights = Matrices.normal(new SplittableRandom(groupSize), rows * columns, 0.02);
        Arrays.fill(weights, 0, groupSize, 0f);

        float[] shares = KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix out = rig.empty(DType.F32, rows, columns);
            rig.awq().groupShares(rig.floats(rows, columns, weights), groupSize, out);
            return rig.floatsOf(out);
        });

        for (int i = 0; i < weights.length; i++) {
            float most = 0;
            for (int j = i / groupSize * groupSize; j < (i / groupSize + 1) * groupSize; j++) {
                most = Math.max(most, Math.abs(weights[j]));
            }
            assertThat(shares[i]).isEqualTo(Math.abs(weights[i]) / (most + 1e-6f));
        }
    }

    @ParameterizedTest
    @CsvSource({"4, 20, true", "300, 20, true", "300, 20, false", "36, 5, true", "4, 0, true"})
    void makesTheScalesOfEveryRatio(int columns, int points, boolean duo) {
        SplittableRandom random = new SplittableRandom(columns + points);
        float[] x = new float[AwqKernels.BANDS * columns];
        float[] w = new float[AwqKernels.BANDS * columns];
        for (int i = 0; i < columns; i++) {
            x[i] = (float) Math.exp(4 * random.nextGaussian());
            w[i] = (float) random.nextDouble();
        }
        // Inputs that never occur, and weights that are all zero.
        x[0] = 0;
        w[1] = 0;

        float[] scales = KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix out = rig.empty(DType.F32, 1 + points, columns);
            DeviceMatrix xs = rig.floats(AwqKernels.BANDS, columns, x);
            DeviceMatrix ws = rig.floats(AwqKernels.BANDS, columns, w);
            rig.awq().candidateScales(new Mean(xs, 7), duo ? new Mean(ws, 3) : null, out);
            return rig.floatsOf(out);
        });

        for (int i = 0; i < columns; i++) {
            assertThat(scales[i]).isEqualTo(1);
        }
        for (int k = 0; k < points; k++) {
            double[] expected = expected(x, w, columns, (double) k / points, duo);
            for (int i = 0; i < columns; i++) {
                assertThat((double) scales[(k + 1) * columns + i])
                        .as("ratio " + k + " of " + points + ", column " + i)
                        .isCloseTo(expected[i], within(1e-5 * expected[i]));
            }
        }
    }

    private static double[] expected(float[] x, float[] w, int columns, double ratio, boolean duo) {
        double[] scales = new double[columns];
        double most = 0;
        double least = Double.POSITIVE_INFINITY;
        for (int i = 0; i < columns; i++) {
            double s = Math.pow(x[i] / 7, ratio);
            if (duo) {
                s /= Math.pow(w[i] / 3, 1 - ratio) + 1e-4;
            }
            scales[i] = Math.max(s, 1e-4);
            most = Math.max(most, scales[i]);
            least = Math.min(least, scales[i]);
        }
        for (int i = 0; i < columns; i++) {
            scales[i] /= Math.sqrt(most * least);
        }
        return scales;
    }

    @Test
    void givesOneWhereAScaleIsNotFinite() {
        float[] x = new float[AwqKernels.BANDS * 4];
        x[1] = Float.POSITIVE_INFINITY;
        x[2] = 1;
        float[] scales = KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix out = rig.empty(DType.F32, 3, 4);
            rig.awq().candidateScales(new Mean(rig.floats(AwqKernels.BANDS, 4, x), 1), null, out);
            return rig.floatsOf(out);
        });
        for (float scale : scales) {
            assertThat(scale).isPositive().isFinite();
        }
    }

    @Test
    void refusesWhatItsVectorsCannotRead() {
        try (KernelRig rig = KernelRig.fast()) {
            DeviceMatrix odd = rig.floats(1, 6, new float[6]);
            DeviceMatrix partials = rig.floats(AwqKernels.BANDS, 6, new float[AwqKernels.BANDS * 6]);
            assertThatThrownBy(() -> rig.awq().addAbsoluteSums(odd, partials))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("aligned fours");
            assertThatThrownBy(() -> rig.awq().groupShares(odd, 6, odd))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("groups of 6");
        }
    }
}
