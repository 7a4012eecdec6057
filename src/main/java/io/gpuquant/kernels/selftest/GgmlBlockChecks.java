package io.gpuquant.kernels.selftest;

import static io.gpuquant.kernels.selftest.GgmlFitChecks.positive;
import static io.gpuquant.kernels.selftest.GgmlFitChecks.weights;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.gguf.BlockLayout;
import io.gpuquant.gguf.GgmlType;
import io.gpuquant.kernels.GgmlBlockKernels;
import io.gpuquant.kernels.GgmlBlockKernels.Codes;
import io.gpuquant.tensor.DType;
import java.util.List;
import java.util.stream.Stream;

/** Cases for {@code ggml_units.ptx} and {@code ggml_round.ptx}, and for the rounding of {@code ggml_codebook.ptx}. */
final class GgmlBlockChecks {

    private static final int SUPER_BLOCK = 256;
    private static final int GROUP = 32;
    private static final int PER_BLOCK = 8;

    private GgmlBlockChecks() {}

    static List<Check> all() {
        return List.of(
                Check.exact(
                        "ggml_positive_units",
                        List.of(
                                new PositiveUnits(1, 8, 63, true),
                                new PositiveUnits(33, 16, 15, false),
                                new PositiveUnits(131, 8, 63, true))),
                Check.exact(
                        "ggml_settle_codes",
                        List.of(
                                new SettleCodes(GgmlType.Q2_K, 33, 16),
                                new SettleCodes(GgmlType.Q4_K, 131, 8),
                                new SettleCodes(GgmlType.Q5_K, 1, 8))),
                Check.exact(
                        "ggml_signed_units",
                        List.of(
                                new SignedUnits(GgmlType.Q3_K, 1, 16),
                                new SignedUnits(GgmlType.Q6_K, 33, 16),
                                new SignedUnits(GgmlType.IQ4_XS, 131, 8))),
                Check.exact(
                        "ggml_round_groups",
                        List.of(
                                new RoundGroups(GgmlType.Q8_0, 1),
                                new RoundGroups(GgmlType.Q4_0, 33),
                                new RoundGroups(GgmlType.Q5_1, 131))),
                Check.exact(
                        "ggml_round_again",
                        List.of(new RoundAgain(1, 8, 0, 0, 15), new RoundAgain(5, 16, 32, -4, 3))),
                Check.exact(
                        "ggml_round_codebook", List.of(new RoundCodebook(9, false), new RoundCodebook(16, true))),
                Check.exact(
                        "ggml_pack",
                        Stream.of(GgmlType.values())
                                .filter(type -> type.blockSize() > 1)
                                .map(type -> new Pack(type, 5))
                                .toList()));
    }

    record PositiveUnits(int blocks, int groups, int largest, boolean searches) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix codes = bench.blank(DType.U8, Layout.dense(blocks, groups));
            DeviceMatrix units = bench.blank(DType.F32, Layout.dense(1, blocks));
            new GgmlBlockKernels(bench.stream())
                    .positiveUnits(
                            positive(bench, blocks, groups),
                            searches ? positive(bench, blocks, groups) : null,
                            largest,
                            codes,
                            units);
            return List.of(bench.read("codes", codes), bench.read("units", units));
        }
    }

    record SettleCodes(GgmlType type, int blocks, int groups) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix scales = bench.codes(Layout.dense(blocks, groups), 256);
            DeviceMatrix mins = bench.codes(Layout.dense(blocks, groups), 256);
            new GgmlBlockKernels(bench.stream()).settleCodes(type, scales, mins);
            return List.of(bench.read("codes of scales", scales), bench.read("codes of minima", mins));
        }
    }

    record SignedUnits(GgmlType type, int blocks, int groups) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix codes = bench.blank(DType.U8, Layout.dense(blocks, groups));
            DeviceMatrix units = bench.blank(DType.F32, Layout.dense(1, blocks));
            DeviceMatrix levels = bench.blank(DType.U8, Layout.dense(blocks, SUPER_BLOCK));
            new GgmlBlockKernels(bench.stream())
                    .signedUnits(type, weights(bench, blocks, groups), codes, units, levels);
            return List.of(bench.read("codes", codes), bench.read("units", units), bench.read("levels", levels));
        }
    }

    record RoundGroups(GgmlType type, int groups) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix levels = bench.blank(DType.U8, Layout.dense(groups, GROUP));
            DeviceMatrix scales = bench.blank(DType.F32, Layout.dense(1, groups));
            DeviceMatrix mins = bench.blank(DType.F32, Layout.dense(1, groups));
            new GgmlBlockKernels(bench.stream())
                    .roundGroups(
                            type,
                            weights(bench, groups, GROUP),
                            levels,
                            scales,
                            type == GgmlType.Q5_1 ? mins : null);
            return List.of(bench.read("levels", levels), bench.read("scales", scales), bench.read("minima", mins));
        }
    }

    /** With minima where no code stands for a negative scale. */
    record RoundAgain(int blocks, int groups, int codeZero, int least, int most) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            boolean hasMins = codeZero == 0;
            DeviceMatrix levels = bench.blank(DType.U8, Layout.dense(blocks, SUPER_BLOCK));
            Codes codes = new Codes(
                    positive(bench, 1, blocks),
                    bench.codes(Layout.dense(blocks, groups), 64),
                    hasMins ? positive(bench, 1, blocks) : null,
                    hasMins ? bench.codes(Layout.dense(blocks, groups), 64) : null);
            new GgmlBlockKernels(bench.stream())
                    .roundAgain(
                            bench.gaussian(DType.F32, Layout.dense(blocks, SUPER_BLOCK), 100),
                            codes,
                            codeZero,
                            least,
                            most,
                            levels);
            return List.of(bench.read("levels", levels));
        }
    }

    record RoundCodebook(int groups, boolean coded) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix levels = bench.blank(DType.U8, Layout.dense(groups, GROUP));
            int scales = coded ? groups / PER_BLOCK : groups;
            new GgmlBlockKernels(bench.stream())
                    .roundCodebook(
                            bench.gaussian(DType.F32, Layout.dense(groups, GROUP), coded ? 1000 : 100),
                            positive(bench, 1, scales),
                            coded ? bench.codes(Layout.dense(scales, PER_BLOCK), 64) : null,
                            levels);
            return List.of(bench.read("levels", levels));
        }
    }

    record Pack(GgmlType type, int blocks) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            Layout groups = Layout.dense(blocks, 16);
            DeviceMatrix packed = bench.blank(DType.U8, Layout.dense(blocks, type.blockBytes()));
            new GgmlBlockKernels(bench.stream())
                    .pack(
                            bench.integers(type.blockBytes(), BlockLayout.PIECES, BlockLayout.pieces(type)),
                            bench.codes(Layout.dense(blocks, type.blockSize()), 256),
                            positive(bench, 1, blocks),
                            positive(bench, 1, blocks),
                            bench.codes(groups, 256),
                            bench.codes(groups, 256),
                            packed);
            return List.of(bench.read("bytes", packed));
        }
    }
}
