package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.DivergenceKernels;
import io.gpuquant.tensor.DType;
import java.util.List;

/** Cases for {@code divergence.ptx}. */
final class DivergenceChecks {

    private static final int SUMS = 4;

    private DivergenceChecks() {}

    static List<Check> all() {
        return List.of(Check.bounded(
                "divergence_sums",
                "2^-21 of a sum, from 2 ulp of ex2.approx",
                List.of(
                        new Divergence(1, 1, 3, 0.5),
                        new Divergence(33, 3, 3, 0.5),
                        new Divergence(5, 127, 300, 1),
                        new Divergence(20, 1028, 3, 0.1),
                        new Divergence(3, 5003, 3, 0))));
    }

    /** Two rows of logits a deviation apart; the last row has a NaN. */
    record Divergence(int rows, int vocabulary, double deviation, double apart) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            float[] values = bench.gaussian(rows * vocabulary, deviation);
            float[] others = bench.gaussian(rows * vocabulary, apart);
            for (int i = 0; i < others.length; i++) {
                others[i] += values[i];
            }
            if (rows > 1) {
                others[others.length - 1 - vocabulary / 2] = Float.NaN;
            }
            DeviceMatrix logits = bench.matrix(DType.F32, Layout.dense(rows, vocabulary), values);
            DeviceMatrix second = bench.matrix(DType.F32, Layout.dense(rows, vocabulary), others);
            DeviceMatrix sums = bench.blank(DType.F64, Layout.dense(rows, SUMS));
            new DivergenceKernels(bench.stream()).sums(logits, second, sums);
            // A moment is a sum of terms of both signs, none above the exponentials' sum times their largest distance.
            return List.of(
                    bench.read("sums", sums).within(Tolerance.of(0x1p-21, 0x1p-21 * vocabulary * apart, DType.F32)));
        }
    }
}
