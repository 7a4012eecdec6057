package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.ReductionKernels;
import io.gpuquant.tensor.DType;
import java.util.List;

/** Cases for {@code reduce.ptx}. */
final class ReductionChecks {

    private ReductionChecks() {}

    static List<Check> all() {
        return List.of(
                Check.exact(
                        "dot_partials",
                        List.of(
                                new Dot(Layout.dense(1, 1)),
                                new Dot(Layout.window(33, 31)),
                                new Dot(Layout.aligned(7, 129)),
                                new Dot(Layout.dense(130, 260)),
                                new Dot(Layout.dense(1, 3001)))),
                Check.exact(
                        "squared_difference_partials",
                        List.of(
                                new Difference(Layout.dense(1, 4)),
                                new Difference(Layout.dense(33, 36)),
                                new Difference(Layout.dense(70, 516)))));
    }

    record Dot(Layout a) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix first = bench.gaussian(DType.F32, a, 1);
            DeviceMatrix second = bench.gaussian(DType.F32, a.dense(), 1);
            return List.of(Output.of("sum", new ReductionKernels(bench.device()).dot(first, second)));
        }
    }

    record Difference(Layout matrix) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix first = bench.gaussian(DType.F32, matrix, 1);
            DeviceMatrix second = bench.gaussian(DType.F32, matrix, 1);
            try (ReductionKernels.Sums sums = new ReductionKernels(bench.device()).sums(1, 1)) {
                sums.addSquaredDifference(0, first, second);
                return List.of(Output.of("sum", sums.read()));
            }
        }
    }
}
