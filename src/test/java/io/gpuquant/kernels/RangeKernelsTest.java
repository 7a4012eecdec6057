package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.RangeKernels.Rule;
import io.gpuquant.tensor.DType;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Class A: comparisons, and steps that round once and are repeated here in Java. */
class RangeKernelsTest {

    @ParameterizedTest
    @CsvSource({
        "F32, 1, 1, 1, 1",
        "F16, 33, 31, 4, 5",
        "BF16, 1, 200, 1, 64",
        "BF16, 9, 132, 1, 16",
        "F32, 130, 70, 128, 32",
        "F16, 17, 40, 2147483647, 2147483647"
    })
    void findsTheLargestOfEachTile(DType dtype, int rows, int columns, int tileRows, int tileColumns) {
        Tile tile = new Tile(tileRows, tileColumns);
        float offset = 0.125f;
        float[] values = KernelRun.rounded(dtype, Matrices.normal(new SplittableRandom(rows), rows * columns, 1));

        float[] maxima = KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix matrix = rig.emptyWindow(dtype, rows, columns, 3, columns + 5);
            rig.fill(matrix, KernelRun.encode(dtype, values));
            DeviceMatrix target = rig.empty(DType.F32, tile.down(matrix), tile.across(matrix));
            rig.ranges().tileAbsmax(matrix, tile, offset, target);
            return rig.floatsOf(target);
        });

        int across = Math.ceilDiv(columns, tileColumns);
        float[] expected = new float[maxima.length];
        for (int i = 0; i < values.length; i++) {
            int at = i / columns / tileRows * across + i % columns / tileColumns;
            expected[at] = Math.max(expected[at], Math.abs(values[i] - offset));
        }
        assertThat(maxima).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource({"F32, 1, 1", "F16, 150, 31", "BF16, 65, 300"})
    void raisesMaximaPieceByPiece(DType dtype, int rows, int columns) {
        SplittableRandom random = new SplittableRandom(columns);
        float[] first = KernelRun.rounded(dtype, Matrices.normal(random, rows * columns, 1));
        float[] second = KernelRun.rounded(dtype, Matrices.normal(random, rows * columns, 1));

        float[] maxima = KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix target = rig.floats(1, columns, new float[columns]);
            for (float[] piece : new float[][] {first, second}) {
                DeviceMatrix matrix = rig.emptyWindow(dtype, rows, columns, 1, columns + 3);
                rig.fill(matrix, KernelRun.encode(dtype, piece));
                rig.ranges().raiseToColumns(matrix, target);
            }
            return rig.floatsOf(target);
        });

        float[] expected = new float[columns];
        for (int i = 0; i < first.length; i++) {
            float most = Math.max(Math.abs(first[i]), Math.abs(second[i]));
            expected[i % columns] = Math.max(expected[i % columns], most);
        }
        assertThat(maxima).isEqualTo(expected);
    }

    @Test
    void aNanInAColumnIsSeen() {
        float[] maxima = KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix target = rig.floats(1, 2, new float[2]);
            rig.ranges().raiseToColumns(rig.floats(2, 2, 1f, Float.NaN, 5f, 3f), target);
            return rig.floatsOf(target);
        });
        assertThat(maxima).containsExactly(5, Float.NaN);
    }

    private static float[] scales(Rule rule, float constant, DType rounding, float... maxima) {
        return KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix values = rig.floats(1, maxima.length, maxima);
            rig.ranges().scales(values, rule, constant, rounding, values);
            return rig.floatsOf(values);
        });
    }

    @ParameterizedTest
    @CsvSource({"F32", "F16", "BF16"})
    void quotientsAreRoundedToTheType(DType dtype) {
        float[] maxima = Matrices.normal(new SplittableRandom(5), 300, 1);
        for (int i = 0; i < maxima.length; i++) {
            maxima[i] = Math.abs(maxima[i]);
        }
        maxima[17] = 0;
        float[] plain = scales(Rule.QUOTIENT, 127.5f, dtype, maxima);
        float[] positive = scales(Rule.QUOTIENT_OR_EPSILON, 127.5f, dtype, maxima);
        for (int i = 0; i < maxima.length; i++) {
            float expected = KernelRun.rounded(dtype, maxima[i] / 127.5f)[0];
            assertThat(plain[i]).isEqualTo(expected);
            assertThat(positive[i]).isEqualTo(i == 17 ? epsilon(dtype) : expected);
        }
    }

    private static float epsilon(DType dtype) {
        return switch (dtype) {
            case F16 -> 0x1p-10f;
            case BF16 -> 0x1p-7f;
            default -> 0x1p-23f;
        };
    }

    @Test
    void inversesAreFinite() {
        assertThat(scales(Rule.INVERSE, 448, DType.F32, 0, 3, 0.0123f, 1e-40f, 3e38f))
                .containsExactly(1, 1 / 3f * 448, 1 / 0.0123f * 448, Float.MAX_VALUE, 1 / 3e38f * 448);
    }
}
