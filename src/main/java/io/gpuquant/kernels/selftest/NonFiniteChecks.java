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
            cases.add(new FindNonFinite(type, Layout.dense(33, 31), -1));
            cases.add(new FindNonFinite(type, Layout.dense(33, 31), 1022));
            cases.add(new FindNonFinite(type, new Layout(40, 516, 1, 516), 11_111));
        }
        return List.of(Check.exact("find_nonfinite", cases));
    }

    /** The first of three values that are not finite stands at {@code position}; there is none where that is negative. */
    record FindNonFinite(DType type, Layout matrix, int position) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            float[] values = bench.gaussian(matrix.elements(), 100);
            if (position >= 0) {
                int last = values.length - 1;
                values[last] = Float.NaN;
                values[Math.min(last, matrix.offset() + position + 300)] = Float.NEGATIVE_INFINITY;
                values[matrix.offset() + position] = Float.POSITIVE_INFINITY;
            }
            return List.of(Output.of(
                    "index",
                    new CheckKernels(bench.device())
                            .firstNonFinite(bench.matrix(type, matrix, values))
                            .orElse(-1)));
        }

        @Override
        public List<Output> expected(Bench reference) {
            return List.of(Output.of("index", (long) position));
        }
    }
}
