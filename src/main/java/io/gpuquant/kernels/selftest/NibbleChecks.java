package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.NibbleKernels;
import io.gpuquant.kernels.NibbleKernels.Direction;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/** Cases for {@code nibbles.ptx}. */
final class NibbleChecks {

    private static final int ORDER = 0x75316420;
    private static final int CODES = 16;

    private NibbleChecks() {}

    static List<Check> all() {
        List<Case> dequantized = new ArrayList<>();
        for (DType type : Cases.TYPES) {
            dequantized.add(new Dequantize(type, DType.F16, 1, 4, 4));
            dequantized.add(new Dequantize(type, DType.F16, 33, 300, 100));
            dequantized.add(new Dequantize(type, DType.F32, 9, 60, 20));
        }
        return List.of(
                Check.exact(
                        "pack_nibbles",
                        List.of(
                                new Pack(Layout.window(33, 24), Direction.ALONG_ROWS),
                                new Pack(Layout.aligned(72, 129), Direction.ALONG_COLUMNS),
                                new Pack(Layout.dense(520, 260), Direction.ALONG_COLUMNS))),
                Check.exact(
                        "unpack_nibbles",
                        List.of(
                                new Unpack(Layout.window(33, 24), Direction.ALONG_ROWS),
                                new Unpack(Layout.aligned(72, 129), Direction.ALONG_COLUMNS))),
                Check.exact("dequantize_codes", dequantized));
    }

    private static Layout words(Layout values, Direction direction) {
        return direction == Direction.ALONG_ROWS
                ? Layout.dense(values.rows(), values.columns() / 8)
                : Layout.dense(values.columns(), values.rows() / 8);
    }

    record Pack(Layout values, Direction direction) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix packed = bench.blank(DType.I32, words(values, direction));
            new NibbleKernels(bench.stream()).pack(bench.codes(values, CODES), direction, ORDER, packed);
            return List.of(bench.read("words", packed));
        }
    }

    record Unpack(Layout values, Direction direction) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            Layout layout = words(values, direction);
            DeviceMatrix packed = bench.integers(
                    layout.rows(),
                    layout.columns(),
                    bench.random().ints(layout.elements()).toArray());
            DeviceMatrix unpacked = bench.blank(DType.U8, values);
            new NibbleKernels(bench.stream()).unpack(packed, direction, ORDER, unpacked);
            return List.of(bench.read("values", unpacked));
        }
    }

    record Dequantize(DType type, DType scaleType, int out, int in, int groupSize) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            Layout grids = Layout.window(in / groupSize, out);
            DeviceMatrix weights = bench.blank(type, Layout.window(out, in));
            new NibbleKernels(bench.stream())
                    .dequantize(
                            bench.codes(Layout.window(out, in), CODES),
                            QuantizeChecks.scales(bench, scaleType, grids),
                            bench.codes(grids, CODES),
                            groupSize,
                            weights);
            return List.of(bench.read("weights", weights));
        }
    }
}
