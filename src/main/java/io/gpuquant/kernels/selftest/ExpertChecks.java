package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.ExpertKernels;
import io.gpuquant.kernels.ExpertKernels.Shares;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/** Cases for {@code moe.ptx}. */
final class ExpertChecks {

    private ExpertChecks() {}

    static List<Check> all() {
        List<Case> rows = new ArrayList<>();
        for (DType type : Cases.TYPES) {
            rows.add(new Gather(type, 1, 1, 1));
            rows.add(new Gather(type, 17, 33, 2));
            rows.add(new Gather(type, 50, 260, 8));
        }
        return List.of(
                Check.bounded(
                        "route_top_k",
                        "2^-19 of the shares, from 2 ulp of ex2.approx in them and in their sum; the choice exactly",
                        List.of(
                                new Route(1, 1, 1, Shares.OF_CHOSEN),
                                new Route(33, 8, 2, Shares.OF_CHOSEN),
                                new Route(100, 130, 8, Shares.OF_ALL))),
                Check.exact("gather_rows", rows),
                Check.exact(
                        "scatter_add_rows",
                        List.of(new Scatter(1, 1, 1), new Scatter(17, 33, 2), new Scatter(50, 260, 8))));
    }

    record Route(int tokens, int experts, int chosen, Shares kind) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix logits = bench.gaussian(DType.F32, Layout.dense(tokens, experts), 2);
            DeviceMatrix ids = bench.blank(DType.I32, Layout.dense(tokens, chosen));
            DeviceMatrix shares = bench.blank(DType.F32, Layout.dense(tokens, chosen));
            new ExpertKernels(bench.stream()).route(logits, kind, ids, shares);
            return List.of(
                    bench.read("experts", ids),
                    bench.read("shares", shares).within(Tolerance.of(0x1p-19, Float.MIN_NORMAL, DType.F32)));
        }
    }

    record Gather(DType type, int tokens, int width, int chosen) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix in = bench.gaussian(type, Layout.dense(tokens, width), 1);
            int[] list = slots(tokens, chosen);
            DeviceMatrix out = bench.blank(type, Layout.dense(list.length, width));
            new ExpertKernels(bench.stream()).gather(in, bench.integers(list), chosen, out);
            return List.of(bench.read("rows", out));
        }
    }

    record Scatter(int tokens, int width, int chosen) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            int[] list = slots(tokens, chosen);
            DeviceMatrix hidden = bench.gaussian(DType.F32, Layout.dense(tokens, width), 1);
            DeviceMatrix delta = bench.gaussian(DType.F32, Layout.dense(list.length, width), 1);
            DeviceMatrix shares = bench.gaussian(DType.F32, Layout.dense(tokens, chosen), 1);
            new ExpertKernels(bench.stream()).scatterAdd(delta, shares, bench.integers(list), hidden);
            return List.of(bench.read("hidden", hidden));
        }
    }

    /** A slot of every third token. */
    private static int[] slots(int tokens, int chosen) {
        return IntStream.iterate(0, token -> token < tokens, token -> token + 3)
                .map(token -> token * chosen + token % chosen)
                .toArray();
    }
}
