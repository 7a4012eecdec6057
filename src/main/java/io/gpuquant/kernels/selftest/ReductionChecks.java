package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.ReductionKernels;
import io.gpuquant.tensor.DType;
import java.util.List;

/** Cases for {@code reduce.ptx}. */
final class ReductionChecks {

    private ReductionChecks() {}

    static List<Check> all() {
        return List.of(Check.exact(
                "dot_partials",
                List.of(
                        new Dot(Layout.dense(1, 1)),
                        new Dot(Layout.window(33, 31)),
                        new Dot(Layout.aligned(7, 129)),
                        new Dot(Layout.dense(130, 260)),
                        new Dot(Layout.dense(1, 3001)))));
    }

    record Dot(Layout a) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix first = bench.gaussian(DType.F32, a, 1);
            DeviceMatrix second = bench.gaussian(DType.F32, a.dense(), 1);
            return List.of(Output.of("sum", new ReductionKernels(bench.device()).dot(first, second)));
        }
    }
}
