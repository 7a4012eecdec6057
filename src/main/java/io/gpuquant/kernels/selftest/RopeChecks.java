package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.RopeKernels;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/** Cases for {@code rope.ptx}. */
final class RopeChecks {

    private RopeChecks() {}

    static List<Check> all() {
        List<Case> cases = new ArrayList<>();
        for (DType type : Cases.TYPES) {
            cases.add(new Rotate(type, 2, 1, 1, Layout.dense(1, 2)));
            cases.add(new Rotate(type, 6, 3, 31, Layout.window(31, 18)));
            cases.add(new Rotate(type, 8, 4, 11, Layout.aligned(33, 40)));
            cases.add(new Rotate(type, 20, 4, 7, Layout.aligned(9, 40)));
            cases.add(new Rotate(type, 128, 64, 5, Layout.aligned(9, 256)));
        }
        cases.add(new Rotate(DType.BF16, 64, 32, 50, Layout.dense(100, 320)));
        return List.of(Check.exact("rope", cases));
    }

    record Rotate(DType out, int headDim, int pairs, int positions, Layout in) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix heads = bench.gaussian(DType.F32, in, 1);
            DeviceMatrix cos = bench.gaussian(DType.F32, Layout.dense(positions, pairs), 1);
            DeviceMatrix sin = bench.gaussian(DType.F32, Layout.dense(positions, pairs), 1);
            DeviceMatrix result = bench.blank(out, in.dense());
            new RopeKernels(bench.stream()).rotate(heads, headDim, cos, sin, result);
            return List.of(bench.read("result", result));
        }
    }
}
