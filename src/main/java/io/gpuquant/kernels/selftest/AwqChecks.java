package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.AwqKernels;
import io.gpuquant.kernels.AwqKernels.Codes;
import io.gpuquant.kernels.AwqKernels.Cut;
import io.gpuquant.kernels.AwqKernels.Cuts;
import io.gpuquant.kernels.AwqKernels.Mean;
import io.gpuquant.kernels.AwqKernels.Rounding;
import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.kernels.QuantizationGrid.Search;
import io.gpuquant.tensor.DType;
import java.util.List;

/** Cases for {@code awq.ptx} and {@code awq_grid.ptx}. */
final class AwqChecks {

    private AwqChecks() {}

    static List<Check> all() {
        return List.of(
                Check.exact(
                        "abs_column_sums",
                        List.of(
                                new AbsoluteSums(DType.F32, Layout.dense(1, 4)),
                                new AbsoluteSums(DType.F32, Layout.aligned(65, 132)),
                                new AbsoluteSums(DType.F16, Layout.aligned(130, 260)),
                                new AbsoluteSums(DType.BF16, Layout.dense(9, 128)))),
                Check.exact("group_shares", List.of(new Shares(1, 1, 4), new Shares(9, 2, 36), new Shares(33, 3, 128))),
                Check.exact(
                        "candidate_scales",
                        List.of(
                                new CandidateScales(4, 5, true),
                                new CandidateScales(300, 20, true),
                                new CandidateScales(516, 20, false))),
                Check.exact(
                        "round_scaled",
                        List.of(
                                new Round(1, 1, 4, new QuantizationGrid(4, false, 0, Search.MIN_MAX), DType.F32),
                                new Round(33, 2, 36, new QuantizationGrid(3, false, 0, Search.MIN_MAX), DType.F16),
                                new Round(35, 2, 128, new QuantizationGrid(4, true, 0, Search.MIN_MAX), DType.BF16),
                                new Round(9, 3, 64, new QuantizationGrid(8, false, 0, Search.MIN_MAX), DType.F32),
                                new Round(
                                        9, 2, 32, new QuantizationGrid(4, false, 0, Search.MIN_MAX, true), DType.F32))),
                Check.exact(
                        "choose_cuts",
                        List.of(new ChooseCuts(1, 1, 4), new ChooseCuts(33, 3, 36), new ChooseCuts(9, 2, 128))));
    }

    record AbsoluteSums(DType type, Layout matrix) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            Layout sums = Layout.dense(AwqKernels.BANDS, matrix.columns());
            DeviceMatrix partials = bench.matrix(DType.F32, sums, new float[sums.elements()]);
            new AwqKernels(bench.stream()).addAbsoluteSums(bench.gaussian(type, matrix, 1), partials);
            return List.of(bench.read("sums", partials));
        }
    }

    record Shares(int rows, int groups, int groupSize) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            Layout matrix = Layout.dense(rows, groups * groupSize);
            DeviceMatrix shares = bench.blank(DType.F32, matrix);
            new AwqKernels(bench.stream()).groupShares(QuantizeChecks.weights(bench, matrix), groupSize, shares);
            return List.of(bench.read("shares", shares));
        }
    }

    record CandidateScales(int columns, int ratios, boolean duo) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix scales = bench.blank(DType.F32, Layout.dense(1 + ratios, columns));
            Mean weights = sums(bench, 0.01);
            new AwqKernels(bench.stream()).candidateScales(sums(bench, 5), duo ? weights : null, scales);
            return List.of(bench.read("scales", scales));
        }

        private Mean sums(Bench bench, double most) {
            Layout layout = Layout.dense(AwqKernels.BANDS, columns);
            float[] values = new float[layout.elements()];
            for (int i = 0; i < values.length; i++) {
                values[i] = i % columns == 1 ? 0 : (float) bench.random().nextDouble(most);
            }
            return new Mean(bench.matrix(DType.F32, layout, values), 3);
        }
    }

    record Round(int rows, int groups, int groupSize, QuantizationGrid grid, DType type) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            int columns = groups * groupSize;
            Layout matrix = Layout.dense(rows, columns);
            Rounding rounding = new Rounding(
                    QuantizeChecks.weights(bench, matrix),
                    columnScales(bench, columns),
                    groupSize,
                    grid,
                    new Cut(bench.codes(Layout.dense(rows, groups), AwqKernels.CUTS), 0));
            DeviceMatrix values = bench.blank(type, matrix);
            DeviceMatrix errors = bench.blank(DType.F32, matrix);
            Codes codes = new Codes(
                    bench.blank(DType.U8, matrix),
                    bench.blank(DType.F16, Layout.window(groups, rows)),
                    bench.blank(DType.U8, Layout.window(groups, rows)));
            AwqKernels kernels = new AwqKernels(bench.stream());
            kernels.roundedWeights(rounding, values);
            kernels.roundingErrors(rounding, errors, codes);
            return List.of(
                    bench.read("values", values),
                    bench.read("errors", errors),
                    bench.read("codes", codes.codes()),
                    bench.read("scales", codes.scales()),
                    bench.read("zeros", codes.zeros()));
        }

        private static DeviceMatrix columnScales(Bench bench, int columns) {
            float[] scales = new float[columns];
            for (int i = 0; i < columns; i++) {
                scales[i] = (float) bench.random().nextDouble(0.1, 10);
            }
            return bench.matrix(DType.F32, Layout.dense(1, columns), scales);
        }
    }

    record ChooseCuts(int rows, int groups, int groupSize) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            Layout matrix = Layout.dense(rows, groups * groupSize);
            Layout perGroup = Layout.dense(rows, groups);
            Cuts best = new Cuts(bench.blank(DType.F32, perGroup), bench.blank(DType.U8, perGroup));
            AwqKernels kernels = new AwqKernels(bench.stream());
            for (int candidate = 0; candidate < 2; candidate++) {
                DeviceMatrix errors = bench.gaussian(DType.F32, matrix, 1);
                DeviceMatrix products = bench.gaussian(DType.F32, matrix, 1);
                kernels.chooseCuts(candidate, errors, products, groupSize, best);
            }
            return List.of(bench.read("losses", best.losses()), bench.read("cuts", best.cuts()));
        }
    }
}
