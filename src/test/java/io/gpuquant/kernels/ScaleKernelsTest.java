package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.ScaleKernels.Factors;
import io.gpuquant.tensor.DType;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Class A: two rounded operations. */
class ScaleKernelsTest {

    @ParameterizedTest
    @CsvSource({
        "1, 1, F32, true, false, true, true",
        "31, 33, F16, true, true, false, false",
        "33, 129, BF16, false, false, true, true",
        "130, 260, F32, false, true, false, false"
    })
    void appliesFactorsOfColumnsThenOfRows(
            int rows, int columns, DType dtype, boolean byColumn, boolean overColumn, boolean byRow, boolean overRow) {
        SplittableRandom random = new SplittableRandom(rows);
        float[] values = Matrices.normal(random, rows * columns, 1);
        float[] columnFactors = factors(random, columns);
        float[] rowFactors = factors(random, rows);

        record Scaled(float[] in, float[] out) {}
        Scaled scaled = KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix in = rig.empty(dtype, rows, columns);
            new ConvertKernels(rig.stream()).convert(rig.floats(rows, columns, values), in);
            DeviceMatrix out = rig.emptyWindow(DType.F32, rows, columns, 2, columns + 3);
            rig.scale()
                    .scale(
                            in,
                            byColumn ? new Factors(rig.floats(1, columns, columnFactors), overColumn) : Factors.ONES,
                            byRow ? new Factors(rig.floats(1, rows, rowFactors), overRow) : Factors.ONES,
                            out);
            rig.requireUntouchedAround(out);
            return new Scaled(rig.valuesOf(in), rig.floatsOf(out));
        });

        for (int i = 0; i < values.length; i++) {
            float expected = scaled.in()[i];
            if (byColumn) {
                float factor = columnFactors[i % columns];
                expected = overColumn ? expected / factor : expected * factor;
            }
            if (byRow) {
                float factor = rowFactors[i / columns];
                expected = overRow ? expected / factor : expected * factor;
            }
            assertThat(scaled.out()[i]).isEqualTo(expected);
        }
    }

    private static float[] factors(SplittableRandom random, int count) {
        float[] factors = new float[count];
        for (int i = 0; i < count; i++) {
            factors[i] = (float) random.nextDouble(0.1, 10);
        }
        return factors;
    }
}
