package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.NormKernels;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/** Cases for {@code norm.ptx}. */
final class NormChecks {

    private NormChecks() {}

    static List<Check> all() {
        List<Case> cases = new ArrayList<>();
        for (DType weight : Cases.TYPES) {
            for (DType out : Cases.TYPES) {
                cases.add(new RmsNorm(weight, out, Layout.dense(33, 31)));
                cases.add(new RmsNorm(weight, out, Layout.dense(9, 132)));
            }
        }
        cases.add(new RmsNorm(DType.F32, DType.F32, Layout.dense(1, 1)));
        cases.add(new RmsNorm(DType.F16, DType.F32, new Layout(3, 64, 1, 64)));
        cases.add(new RmsNorm(DType.BF16, DType.BF16, Layout.dense(40, 1028)));
        return List.of(Check.exact("rms_norm", cases));
    }

    record RmsNorm(DType weight, DType out, Layout in) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix hidden = bench.gaussian(DType.F32, in, 5);
            DeviceMatrix factors = bench.gaussian(weight, Layout.dense(1, in.columns()), 1);
            DeviceMatrix result = bench.blank(out, in.dense());
            new NormKernels(bench.stream()).rmsNorm(hidden, factors, 1e-5f, result);
            return List.of(bench.read("result", result));
        }
    }
}
