package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.SoftmaxKernels;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/** Cases for {@code softmax.ptx}. */
final class SoftmaxChecks {

    private SoftmaxChecks() {}

    static List<Check> all() {
        List<Case> cases = new ArrayList<>();
        for (DType type : Cases.TYPES) {
            cases.add(new Causal(type, 1, 1, 20));
            cases.add(new Causal(type, 3, 31, 20));
            cases.add(new Causal(type, 1, 129, 4000));
            cases.add(new Causal(type, 2, 132, 20));
            cases.add(new Causal(type, 1, 260, 4000));
        }
        cases.add(new Causal(DType.F32, 1, 132, 1e30));
        cases.add(new Causal(DType.F32, 1, 517, 20));
        List<Case> windowed = new ArrayList<>();
        for (DType type : Cases.TYPES) {
            windowed.add(new Windowed(type, 1, 1, 1, 0));
            windowed.add(new Windowed(type, 3, 31, 7, 0));
            windowed.add(new Windowed(type, 2, 132, 40, 50));
            windowed.add(new Windowed(type, 1, 129, 500, 5));
        }
        return List.of(
                Check.bounded(
                        "softmax_causal",
                        "(2^-19 + n 2^-28) of the value, from 2 ulp of ex2.approx in it and in the sum of n of them, and"
                                + " 1 ulp of the type",
                        cases),
                Check.bounded(
                        "softmax_windowed",
                        "(2^-19 + n 2^-28 + cap 2^-19) of the value, the last from 2 ulp of ex2.approx in tanh, and 1 ulp"
                                + " of the type",
                        windowed));
    }

    record Windowed(DType out, int matrices, int length, int window, float cap) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            Layout layout = Layout.dense(matrices * length, length);
            DeviceMatrix scores = bench.gaussian(DType.F32, layout, 200);
            DeviceMatrix weights = bench.blank(out, layout);
            new SoftmaxKernels(bench.stream()).windowed(scores, 0.125f, window, cap, weights);
            return List.of(bench.read("weights", weights)
                    .within(Tolerance.of((1 + cap) * 0x1p-19 + length * 0x1p-28, Float.MIN_NORMAL, out)));
        }
    }

    /** With scores of more than 700, exponentials overflow unless the largest has been subtracted. */
    record Causal(DType out, int matrices, int length, double deviation) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            Layout layout = Layout.dense(matrices * length, length);
            DeviceMatrix scores = bench.gaussian(DType.F32, layout, deviation);
            DeviceMatrix weights = bench.blank(out, layout);
            new SoftmaxKernels(bench.stream()).causal(scores, 0.125f, weights);
            return List.of(bench.read("weights", weights)
                    .within(Tolerance.of(0x1p-19 + length * 0x1p-28, Float.MIN_NORMAL, out)));
        }
    }
}
