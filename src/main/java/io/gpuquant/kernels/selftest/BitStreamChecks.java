package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.BitStreamKernels;
import io.gpuquant.kernels.BitStreamKernels.Words;
import io.gpuquant.tensor.DType;
import java.util.List;

/** Cases for {@code bitstream.ptx}. */
final class BitStreamChecks {

    private BitStreamChecks() {}

    static List<Check> all() {
        return List.of(
                Check.exact(
                        "pack_bits",
                        List.of(
                                new Pack(3, Layout.window(33, 31), Words.IN_ROWS),
                                new Pack(4, Layout.aligned(129, 264), Words.IN_ROWS),
                                new Pack(4, Layout.window(5, 130), Words.IN_COLUMNS),
                                new Pack(8, Layout.dense(3, 77), Words.IN_COLUMNS))),
                Check.exact(
                        "unpack_bits",
                        List.of(
                                new Unpack(3, Layout.window(33, 31), Words.IN_ROWS),
                                new Unpack(4, Layout.aligned(129, 264), Words.IN_ROWS),
                                new Unpack(5, Layout.dense(9, 300), Words.IN_COLUMNS))));
    }

    private static Layout words(Layout values, int bits, Words direction) {
        int count = BitStreamKernels.words(values.columns(), bits);
        return direction == Words.IN_ROWS ? Layout.dense(values.rows(), count) : Layout.dense(count, values.rows());
    }

    record Pack(int bits, Layout values, Words direction) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix packed = bench.blank(DType.I32, words(values, bits, direction));
            DeviceMatrix position =
                    direction == Words.IN_ROWS ? bench.integers(bench.permutation(values.columns())) : null;
            new BitStreamKernels(bench.stream())
                    .pack(bench.codes(values, 1 << bits), position, bits, direction, packed);
            return List.of(bench.read("words", packed));
        }
    }

    record Unpack(int bits, Layout values, Words direction) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            Layout layout = words(values, bits, direction);
            DeviceMatrix packed = bench.integers(
                    layout.rows(),
                    layout.columns(),
                    bench.random().ints(layout.elements()).toArray());
            DeviceMatrix unpacked = bench.blank(DType.U8, values);
            new BitStreamKernels(bench.stream()).unpack(packed, bits, direction, unpacked);
            return List.of(bench.read("values", unpacked));
        }
    }
}
