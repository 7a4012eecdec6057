package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.AttentionKernels;
import io.gpuquant.kernels.AttentionRule;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Cases for {@code attention_64.ptx} to {@code attention_256.ptx}. */
final class AttentionChecks {

    /** The largest value, which an average cannot exceed. */
    private static final double LARGEST = 1;

    private AttentionChecks() {}

    static List<Check> all() {
        List<Check> checks = new ArrayList<>();
        for (int headDim : new int[] {64, 96, 128, 256}) {
            for (DType type : List.of(DType.F16, DType.BF16)) {
                checks.add(Check.bounded(
                        "attention_" + type.name().toLowerCase(Locale.ROOT) + "_" + headDim,
                        "two units in the last place of the largest value, from the rounding of weights to the type and of"
                                + " results",
                        List.of(
                                new Attend(type, 1, 67, 2, 1, headDim, new AttentionRule(0.125f, true, 0, 0)),
                                new Attend(type, 2, 33, 1, 1, headDim, new AttentionRule(0.125f, false, 0, 0)),
                                new Attend(type, 1, 130, 2, 2, headDim, new AttentionRule(0.125f, true, 40, 5)))));
            }
        }
        return checks;
    }

    /** Some sequences with a few heads, in windows; values lie between -1 and 1. */
    record Attend(DType type, int sequences, int length, int heads, int keyHeads, int headDim, AttentionRule rule)
            implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix queries = bench.gaussian(type, layout(heads), 1);
            DeviceMatrix keys = bench.gaussian(type, layout(keyHeads), 1);
            float[] buffer = new float[layout(keyHeads).elements()];
            for (int i = 0; i < buffer.length; i++) {
                buffer[i] = (float) bench.random().nextDouble(-LARGEST, LARGEST);
            }
            DeviceMatrix values = bench.matrix(type, layout(keyHeads), buffer);
            DeviceMatrix out = bench.blank(type, layout(heads));
            new AttentionKernels(bench.stream()).attend(queries, keys, values, length, headDim, rule, out);
            double unit = type == DType.F16 ? 0x1p-10 : 0x1p-7;
            return List.of(bench.read("results", out).within((element, expected) -> 2 * unit * LARGEST));
        }

        private Layout layout(int count) {
            return Layout.aligned(sequences * length, count * headDim);
        }
    }
}
