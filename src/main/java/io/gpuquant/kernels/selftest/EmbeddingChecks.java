package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.EmbeddingKernels;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/** Cases for {@code embedding.ptx}. */
final class EmbeddingChecks {

    private EmbeddingChecks() {}

    static List<Check> all() {
        List<Case> cases = new ArrayList<>();
        for (DType type : Cases.TYPES) {
            cases.add(new Gather(type, 1, 1, 1));
            cases.add(new Gather(type, 17, 31, 33));
            cases.add(new Gather(type, 50, 132, 9));
        }
        cases.add(new Gather(DType.BF16, 100, 1100, 37));
        return List.of(Check.exact("embedding_gather", cases));
    }

    record Gather(DType type, int vocabulary, int width, int tokens) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix table = bench.gaussian(type, Layout.dense(vocabulary, width), 1);
            DeviceMatrix ids = bench.integers(bench.below(tokens, vocabulary));
            DeviceMatrix hidden = bench.blank(DType.F32, Layout.dense(tokens, width));
            new EmbeddingKernels(bench.stream()).gather(table, ids, 11.3125f, hidden);
            return List.of(bench.read("hidden", hidden));
        }
    }
}
