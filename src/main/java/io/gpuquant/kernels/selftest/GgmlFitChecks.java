package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.GgmlFitKernels;
import io.gpuquant.kernels.GgmlFitKernels.AffineSearch;
import io.gpuquant.tensor.DType;
import java.util.List;

/** Cases for {@code ggml_fit.ptx} and for the search of {@code ggml_codebook.ptx}. */
final class GgmlFitChecks {

    private GgmlFitChecks() {}

    static List<Check> all() {
        return List.of(
                Check.exact("ggml_spreads", List.of(new Spreads(1, 32), new Spreads(300, 96), new Spreads(33, 256))),
                Check.exact(
                        "ggml_error_weights",
                        List.of(
                                new ErrorWeights(3, 96, false, false, false),
                                new ErrorWeights(3, 96, true, false, false),
                                new ErrorWeights(1, 32, false, false, true),
                                new ErrorWeights(9, 512, true, true, true),
                                new ErrorWeights(2, 64, false, true, false))),
                Check.exact(
                        "ggml_fit_symmetric",
                        List.of(
                                new Symmetric(1, 16, 4, false),
                                new Symmetric(131, 16, 32, true),
                                new Symmetric(33, 32, 8, true))),
                Check.exact(
                        "ggml_fit_affine",
                        List.of(
                                new Affine(1, 32, new AffineSearch(15, -1, 0.1f, 21, false)),
                                new Affine(131, 16, new AffineSearch(3, -0.5f, 0.1f, 16, true)),
                                new Affine(33, 32, new AffineSearch(31, -0.9f, 0.05f, 37, false)))),
                Check.exact("ggml_fit_descent", List.of(new Descent(1), new Descent(131))),
                Check.exact("ggml_fit_codebook", List.of(new Codebook(1), new Codebook(131))));
    }

    /** Groups of every magnitude, some of zeros. */
    static DeviceMatrix groups(Bench bench, int groups, int size) {
        float[] values = bench.gaussian(groups * size, 1);
        for (int i = 0; i < values.length; i++) {
            int group = i / size;
            values[i] = group % 7 == 6 ? 0 : (float) Math.scalb(values[i], group % 5 * 4 - 12);
        }
        return bench.matrix(DType.F32, Layout.dense(groups, size), values);
    }

    /** Numbers that are not negative. */
    static DeviceMatrix positive(Bench bench, int rows, int columns) {
        float[] values = bench.gaussian(rows * columns, 1);
        for (int i = 0; i < values.length; i++) {
            values[i] *= values[i];
        }
        return bench.matrix(DType.F32, Layout.dense(rows, columns), values);
    }

    record Spreads(int count, int length) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix spreads = bench.blank(DType.F32, Layout.dense(1, count));
            new GgmlFitKernels(bench.stream()).spreads(groups(bench, count, length), 3, spreads);
            return List.of(bench.read("spreads", spreads));
        }
    }

    record ErrorWeights(int rows, int columns, boolean spread, boolean important, boolean squared) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix weights = bench.blank(DType.F32, Layout.dense(rows, columns));
            new GgmlFitKernels(bench.stream())
                    .errorWeights(
                            groups(bench, rows, columns),
                            spread ? positive(bench, 1, rows * columns / 32) : null,
                            important ? positive(bench, 1, columns) : null,
                            squared,
                            weights);
            return List.of(bench.read("weights", weights));
        }
    }

    record Symmetric(int groups, int size, int half, boolean wantsSums) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix levels = bench.blank(DType.U8, Layout.dense(groups, size));
            DeviceMatrix scales = bench.blank(DType.F32, Layout.dense(1, groups));
            DeviceMatrix sums = bench.blank(DType.F32, Layout.dense(1, groups));
            new GgmlFitKernels(bench.stream())
                    .symmetric(
                            GgmlFitChecks.groups(bench, groups, size),
                            positive(bench, groups, size),
                            half,
                            levels,
                            scales,
                            wantsSums ? sums : null);
            return List.of(bench.read("levels", levels), bench.read("scales", scales), bench.read("sums", sums));
        }
    }

    record Affine(int groups, int size, AffineSearch search) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix levels = bench.blank(DType.U8, Layout.dense(groups, size));
            DeviceMatrix scales = bench.blank(DType.F32, Layout.dense(1, groups));
            DeviceMatrix mins = bench.blank(DType.F32, Layout.dense(1, groups));
            DeviceMatrix sums = bench.blank(DType.F32, Layout.dense(1, groups));
            new GgmlFitKernels(bench.stream())
                    .affine(
                            GgmlFitChecks.groups(bench, groups, size),
                            positive(bench, groups, size),
                            search,
                            levels,
                            scales,
                            mins,
                            sums);
            return List.of(
                    bench.read("levels", levels),
                    bench.read("scales", scales),
                    bench.read("mins", mins),
                    bench.read("sums", sums));
        }
    }

    record Descent(int groups) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix levels = bench.blank(DType.U8, Layout.dense(groups, 16));
            DeviceMatrix scales = bench.blank(DType.F32, Layout.dense(1, groups));
            new GgmlFitKernels(bench.stream()).descent(GgmlFitChecks.groups(bench, groups, 16), levels, scales);
            return List.of(bench.read("levels", levels), bench.read("scales", scales));
        }
    }

    record Codebook(int groups) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix scales = bench.blank(DType.F32, Layout.dense(1, groups));
            new GgmlFitKernels(bench.stream())
                    .codebook(GgmlFitChecks.groups(bench, groups, 32), positive(bench, groups, 32), scales);
            return List.of(bench.read("scales", scales));
        }
    }
}
