package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.PackKernels;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/** Cases for {@code pack.ptx}. */
final class PackChecks {

    private static final List<Integer> BITS = List.of(2, 3, 4, 8);

    private PackChecks() {}

    static List<Check> all() {
        List<Case> weights = new ArrayList<>();
        List<Case> zeros = new ArrayList<>();
        List<Case> dequantized = new ArrayList<>();
        for (int bits : BITS) {
            weights.add(new PackWeights(bits, Layout.dense(1, 32)));
            weights.add(new PackWeights(bits, Layout.window(129, 96)));
            weights.add(new PackWeights(bits, Layout.aligned(260, 64)));
            zeros.add(new PackZeros(bits, 1, Layout.dense(3, 32)));
            zeros.add(new PackZeros(bits, 0, Layout.window(5, 1056)));
            for (DType type : Cases.TYPES) {
                dequantized.add(new Dequantize(bits, type, 64, 288, 5));
                dequantized.add(new Dequantize(bits, type, 32, 32, 1));
            }
        }
        return List.of(
                Check.exact("pack_weights", weights),
                Check.exact("pack_zeros", zeros),
                Check.exact("dequantize", dequantized));
    }

    record PackWeights(int bits, Layout codes) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix values = bench.codes(codes, 1 << bits);
            DeviceMatrix position = bench.integers(bench.permutation(codes.columns()));
            DeviceMatrix packed = bench.blank(DType.I32, Layout.dense(codes.columns() * bits / 32, codes.rows()));
            new PackKernels(bench.stream()).packWeights(values, position, bits, packed);
            return List.of(bench.read("words", packed));
        }
    }

    record PackZeros(int bits, int stored, Layout zeros) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix values = bench.codes(zeros, 1 << bits);
            DeviceMatrix packed = bench.blank(DType.I32, Layout.dense(zeros.rows(), zeros.columns() * bits / 32));
            new PackKernels(bench.stream()).packZeros(values, stored, bits, packed);
            return List.of(bench.read("words", packed));
        }
    }

    record Dequantize(int bits, DType type, int out, int in, int groups) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            Layout scales = Layout.dense(groups, out);
            float[] positive = new float[scales.elements()];
            for (int i = 0; i < positive.length; i++) {
                positive[i] = (float) bench.random().nextDouble(1e-6, 0.1);
            }
            PackKernels.PackedLinear packed = new PackKernels.PackedLinear(
                    words(bench, in * bits / 32, out),
                    words(bench, groups, out * bits / 32),
                    bench.matrix(DType.F16, scales, positive),
                    bench.integers(bench.below(in, groups)),
                    bits,
                    in % 64 == 0 ? 0 : 1);
            DeviceMatrix weights = bench.blank(type, Layout.window(out, in));
            new PackKernels(bench.stream()).dequantize(packed, weights);
            return List.of(bench.read("weights", weights));
        }

        private static DeviceMatrix words(Bench bench, int rows, int columns) {
            return bench.integers(
                    rows, columns, bench.random().ints((long) rows * columns).toArray());
        }
    }
}
