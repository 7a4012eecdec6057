package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.LossKernels;
import io.gpuquant.tensor.DType;
import java.util.List;

/** Cases for {@code loss.ptx}. */
final class LossChecks {

    private LossChecks() {}

    static List<Check> all() {
        return List.of(Check.bounded(
                "cross_entropy",
                "2^-19, from 2 ulp of ex2.approx and 2^-22 of lg2.approx, and 1 ulp of the type",
                List.of(
                        new CrossEntropy(1, 1),
                        new CrossEntropy(33, 3),
                        new CrossEntropy(5, 127),
                        new CrossEntropy(3, 1028),
                        new CrossEntropy(4, 5003))));
    }

    record CrossEntropy(int rows, int vocabulary) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix logits = bench.gaussian(DType.F32, Layout.dense(rows, vocabulary), 3);
            DeviceMatrix targets = bench.integers(bench.below(rows, vocabulary));
            DeviceMatrix result = bench.blank(DType.F32, Layout.dense(1, rows));
            new LossKernels(bench.stream()).logProbabilities(logits, targets, result);
            return List.of(bench.read("log-probabilities", result).within(Tolerance.of(0, 0x1p-19, DType.F32)));
        }
    }
}
