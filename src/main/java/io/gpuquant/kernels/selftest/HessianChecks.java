package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.HessianKernels;
import io.gpuquant.tensor.DType;
import java.util.List;
import java.util.stream.IntStream;

/** Cases for {@code hessian.ptx}. */
final class HessianChecks {

    private HessianChecks() {}

    static List<Check> all() {
        return List.of(
                Check.exact(
                        "symmetrize",
                        sizes(2, 33, 129, 260).mapToObj(Symmetrize::new).toList()),
                Check.exact(
                        "hessian_prepare",
                        sizes(1, 33, 129, 260).mapToObj(Prepare::new).toList()),
                Check.exact(
                        "cholesky_reversed_block",
                        List.of(
                                new Factor(1, -1),
                                new Factor(31, -1),
                                new Factor(66, -1),
                                new Factor(128, -1),
                                new Factor(40, 12),
                                new Factor(40, 13),
                                new Factor(40, 14),
                                new Factor(40, 15),
                                new Factor(3, 0))));
    }

    private static IntStream sizes(int... sizes) {
        return IntStream.of(sizes);
    }

    record Symmetrize(int n) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix matrix = bench.gaussian(DType.F32, Layout.dense(n, n), 1);
            new HessianKernels(bench.stream()).symmetrize(matrix);
            return List.of(bench.read("matrix", matrix));
        }
    }

    record Prepare(int n) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            float[] gram = bench.gaussian(n * n, 1);
            gram[n / 2 * n + n / 2] = 0;
            DeviceMatrix order = bench.integers(bench.permutation(n));
            DeviceMatrix hessian = bench.blank(DType.F32, Layout.dense(n, n));
            new HessianKernels(bench.stream())
                    .prepare(bench.matrix(DType.F32, Layout.dense(n, n), gram), order, 0.25f, hessian);
            return List.of(bench.read("hessian", hessian));
        }
    }

    /** A block XᵀX + 1, in which one pivot is not positive unless {@code broken} is negative. */
    record Factor(int n, int broken) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            Layout layout = Layout.window(n, n);
            float[] buffer = new float[layout.elements()];
            float[] x = bench.gaussian(n * n, 1);
            for (int i = 0; i < n; i++) {
                for (int j = 0; j < n; j++) {
                    double sum = i == j ? 1 : 0;
                    for (int k = 0; k < n; k++) {
                        sum += (double) x[k * n + i] * x[k * n + j];
                    }
                    buffer[layout.index(i, j)] = (float) sum;
                }
            }
            if (broken >= 0) {
                buffer[layout.index(broken, broken)] = -1;
            }
            DeviceMatrix block = bench.matrix(DType.F32, layout, buffer);
            DeviceMatrix inverse = bench.blank(DType.F32, Layout.dense(n, n));
            DeviceMatrix status = bench.integers(-7);
            new HessianKernels(bench.stream()).factorDiagonal(block, inverse, status, 256);
            // A block that has been abandoned holds nothing that is specified.
            return broken >= 0
                    ? List.of(bench.read("status", status))
                    : List.of(
                            bench.read("factor", block), bench.read("inverse", inverse), bench.read("status", status));
        }
    }
}
