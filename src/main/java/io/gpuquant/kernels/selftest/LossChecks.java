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
                "2^-20, from 2 ulp of ex2.approx and 2^-22 of lg2.approx, and 1 ulp of the type",
                List.of(
                        new CrossEntropy(1, 1, 3),
                        new CrossEntropy(33, 3, 3),
                        new CrossEntropy(5, 127, 300),
                        new CrossEntropy(3, 1028, 3),
                        new CrossEntropy(20, 1028, 300),
                        new CrossEntropy(4, 5003, 1),
                        new CrossEntropy(2, 5003, 1e30))));
    }

    /** With logits of more than 88, exponentials overflow unless the largest has been subtracted; the last row has a NaN. */
    record CrossEntropy(int rows, int vocabulary, double deviation) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            float[] values = bench.gaussian(rows * vocabulary, deviation);
            if (rows > 1) {
                values[values.length - 1 - vocabulary / 2] = Float.NaN;
            }
            DeviceMatrix logits = bench.matrix(DType.F32, Layout.dense(rows, vocabulary), values);
            DeviceMatrix targets = bench.integers(bench.below(rows, vocabulary));
            DeviceMatrix result = bench.blank(DType.F32, Layout.dense(1, rows));
            new LossKernels(bench.stream()).logProbabilities(logits, targets, result);
            return List.of(bench.read("log-probabilities", result).within(Tolerance.of(0, 0x1p-20, DType.F32)));
        }
    }
}
