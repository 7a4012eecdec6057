package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.ScaleKernels;
import io.gpuquant.kernels.ScaleKernels.Factors;
import io.gpuquant.tensor.DType;
import java.util.List;

/** Cases for {@code scale.ptx}. */
final class ScaleChecks {

    private ScaleChecks() {}

    static List<Check> all() {
        return List.of(Check.exact(
                "scale_matrix",
                List.of(
                        new Scale(DType.F32, Layout.dense(1, 1), true, false),
                        new Scale(DType.F16, Layout.window(33, 31), false, true),
                        new Scale(DType.BF16, Layout.aligned(9, 132), true, true),
                        new Scale(DType.F32, Layout.dense(70, 516), false, false))));
    }

    record Scale(DType type, Layout matrix, boolean overColumns, boolean overRows) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix out = bench.blank(DType.F32, matrix);
            new ScaleKernels(bench.stream())
                    .scale(
                            bench.gaussian(type, matrix, 1),
                            new Factors(factors(bench, matrix.columns()), overColumns),
                            new Factors(factors(bench, matrix.rows()), overRows),
                            out);
            return List.of(bench.read("scaled", out));
        }

        private static DeviceMatrix factors(Bench bench, int count) {
            float[] factors = new float[count];
            for (int i = 0; i < count; i++) {
                factors[i] = (float) bench.random().nextDouble(0.1, 10);
            }
            return bench.matrix(DType.F32, Layout.dense(1, count), factors);
        }
    }
}
