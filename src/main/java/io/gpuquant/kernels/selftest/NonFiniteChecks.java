package io.gpuquant.kernels.selftest;

import io.gpuquant.kernels.CheckKernels;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/** Cases for {@code check.ptx}. */
final class NonFiniteChecks {

    private NonFiniteChecks() {}

    static List<Check> all() {
        List<Case> cases = new ArrayList<>();
        for (DType type : Cases.TYPES) {
            cases.add(new FindNonFinite(type, Layout.dense(1, 1), 0));
            for (int position : new int[] {0, 1, 500, 501, 502, 503, 504, 505, 506, 507, 1022}) {
                cases.add(new FindNonFinite(type, Layout.dense(33, 31), position));
            }
            cases.add(new FindNonFinite(type, new Layout(40, 516, 1, 516), 11_111));
        }
        return List.of(Check.exact("find_nonfinite", cases));
    }

    /** Looks where there is none, and where the first of three stands at {@code position}. */
    record FindNonFinite(DType type, Layout matrix, int position) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            CheckKernels kernels = new CheckKernels(bench.device());
            float[] values = bench.gaussian(matrix.elements(), 100);
            values[matrix.elements() / 2] = largest();
            long none =
                    kernels.firstNonFinite(bench.matrix(type, matrix, values)).orElse(-1);
            int last = values.length - 1;
            values[last] = Float.NaN;
            values[Math.min(last, matrix.offset() + position + 300)] = Float.NEGATIVE_INFINITY;
            values[matrix.offset() + position] = Float.POSITIVE_INFINITY;
            long first =
                    kernels.firstNonFinite(bench.matrix(type, matrix, values)).orElse(-1);
            return List.of(Output.of("index where there is none", none), Output.of("index of the first", first));
        }

        /** The largest number, whose bits are next to those of infinity. */
        private float largest() {
            return switch (type) {
                case F16 -> 65_504;
                case BF16 -> -0x1.fep127f;
                default -> Float.MAX_VALUE;
            };
        }

        @Override
        public List<Output> expected(Bench reference) {
            return List.of(
                    Output.of("index where there is none", -1L), Output.of("index of the first", (long) position));
        }
    }
}
