package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.gguf.BlockLayout;
import io.gpuquant.gguf.GgmlType;
import io.gpuquant.kernels.GgmlBlockKernels;
import io.gpuquant.kernels.GgmlBlockKernels.Codes;
import io.gpuquant.tensor.DType;
import java.util.Arrays;
import java.util.List;

/** Cases for {@code ggml_units.ptx}, {@code ggml_round.ptx} and for the rounding of {@code ggml_codebook.ptx}. */
final class GgmlBlockChecks {

    private static final int BYTE = 256;

    private GgmlBlockChecks() {}

    static List<Check> all() {
        return List.of(
                Check.exact(
                        "ggml_positive_units",
                        List.of(
                                new PositiveUnits(1, 8, 63, false),
                                new PositiveUnits(131, 16, 15, false),
                                new PositiveUnits(131, 8, 63, true))),
                Check.exact(
                        "ggml_settle_codes",
                        List.of(
                                new SettleCodes(GgmlType.Q2_K, 16),
                                new SettleCodes(GgmlType.Q4_K, 8),
                                new SettleCodes(GgmlType.Q5_K, 8))),
                Check.exact(
                        "ggml_signed_units",
                        List.of(
                                new SignedUnits(GgmlType.Q3_K, 16),
                                new SignedUnits(GgmlType.Q6_K, 16),
                                new SignedUnits(GgmlType.IQ4_XS, 8))),
                Check.exact(
                        "ggml_round_groups",
                        List.of(
                                new RoundGroups(GgmlType.Q8_0, 131),
                                new RoundGroups(GgmlType.Q4_0, 33),
                                new RoundGroups(GgmlType.Q5_1, 1))),
                Check.exact("ggml_round_again", List.of(new RoundAgain(3, 8, false), new RoundAgain(33, 16, true))),
                Check.exact("ggml_round_codebook", List.of(new RoundCodebook(8, false), new RoundCodebook(64, true))),
                Check.exact(
                        "ggml_pack",
                        Arrays.stream(GgmlType.values())
                                .filter(GgmlType::isQuantized)
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
                            GgmlFitChecks.positive(bench, blocks, groups),
                            searches ? GgmlFitChecks.positive(bench, blocks, groups) : null,
                            largest,
                            codes,
                            units);
            return List.of(bench.read("codes", codes), bench.read("units", units));
        }
    }

    record SettleCodes(GgmlType type, int groups) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix scales = bench.codes(Layout.dense(131, groups), BYTE);
            DeviceMatrix mins = bench.codes(Layout.dense(131, groups), BYTE);
            new GgmlBlockKernels(bench.stream()).settleCodes(type, scales, mins);
            return List.of(bench.read("scales", scales), bench.read("mins", mins));
        }
    }

    record SignedUnits(GgmlType type, int groups) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix codes = bench.blank(DType.U8, Layout.dense(131, groups));
            DeviceMatrix units = bench.blank(DType.F32, Layout.dense(1, 131));
            DeviceMatrix levels = bench.blank(DType.U8, Layout.dense(131, BYTE));
            new GgmlBlockKernels(bench.stream())
                    .signedUnits(type, GgmlFitChecks.groups(bench, 131, groups), codes, units, levels);
            return List.of(bench.read("codes", codes), bench.read("units", units), bench.read("levels", levels));
        }
    }

    record RoundGroups(GgmlType type, int groups) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix levels = bench.blank(DType.U8, Layout.dense(groups, 32));
            DeviceMatrix scales = bench.blank(DType.F32, Layout.dense(1, groups));
            DeviceMatrix mins = bench.blank(DType.F32, Layout.dense(1, groups));
            new GgmlBlockKernels(bench.stream())
                    .roundGroups(type, GgmlFitChecks.groups(bench, groups, 32), levels, scales, mins);
            return List.of(bench.read("levels", levels), bench.read("scales", scales), bench.read("mins", mins));
        }
    }

    record RoundAgain(int blocks, int groups, boolean affine) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix levels = bench.blank(DType.U8, Layout.dense(blocks, BYTE));
            Codes codes = new Codes(
                    GgmlFitChecks.positive(bench, 1, blocks),
                    bench.codes(Layout.dense(blocks, groups), 16),
                    affine ? GgmlFitChecks.positive(bench, 1, blocks) : null,
                    affine ? bench.codes(Layout.dense(blocks, groups), 16) : null);
            new GgmlBlockKernels(bench.stream())
                    .roundAgain(
                            bench.gaussian(DType.F32, Layout.dense(blocks, BYTE), 20),
                            codes,
                            affine ? 0 : 8,
                            affine ? 0 : -32,
                            affine ? 15 : 31,
                            levels);
            return List.of(bench.read("levels", levels));
        }
    }

    record RoundCodebook(int groups, boolean coded) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix levels = bench.blank(DType.U8, Layout.dense(groups, 32));
            new GgmlBlockKernels(bench.stream())
                    .roundCodebook(
                            bench.gaussian(DType.F32, Layout.dense(groups, 32), 100),
                            GgmlFitChecks.positive(bench, 1, coded ? groups / 8 : groups),
                            coded ? bench.codes(Layout.dense(groups / 8, 8), 64) : null,
                            levels);
            return List.of(bench.read("levels", levels));
        }
    }

    record Pack(GgmlType type, int blocks) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            int[] layout = BlockLayout.pieces(type);
            DeviceMatrix packed = bench.blank(DType.U8, Layout.dense(blocks, type.blockBytes()));
            new GgmlBlockKernels(bench.stream())
                    .pack(
                            bench.integers(type.blockBytes(), BlockLayout.PIECES, layout),
                            bench.codes(Layout.dense(blocks, type.blockSize()), BYTE),
                            GgmlFitChecks.positive(bench, 1, blocks),
                            GgmlFitChecks.positive(bench, 1, blocks),
                            bench.codes(Layout.dense(blocks, 16), BYTE),
                            bench.codes(Layout.dense(blocks, 16), BYTE),
                            packed);
            return List.of(bench.read("blocks", packed));
        }
    }
}
