package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.GgmlFitKernels;
import io.gpuquant.kernels.GgmlFitKernels.AffineSearch;
import io.gpuquant.tensor.DType;
import java.util.List;

/** Cases for {@code ggml_fit.ptx}, and for the search of {@code ggml_codebook.ptx}. */
final class GgmlFitChecks {

    private static final int SIZE = 32;
    private static final int SMALL = 16;

    private GgmlFitChecks() {}

    static List<Check> all() {
        return List.of(
                Check.exact("ggml_spreads", List.of(new Spreads(1, 32), new Spreads(33, 96), new Spreads(300, 32))),
                Check.exact(
                        "ggml_error_weights",
                        List.of(
                                new ErrorWeights(1, 1, Errors.SQUARES),
                                new ErrorWeights(4, 160, Errors.MAGNITUDES),
                                new ErrorWeights(4, 160, Errors.IMPORTANCE_BY_SIZE),
                                new ErrorWeights(4, 160, Errors.IMPORTANCE))),
                Check.exact(
                        "ggml_fit_symmetric",
                        List.of(new Symmetric(1, SIZE, 8), new Symmetric(33, SMALL, 32), new Symmetric(131, SIZE, 16))),
                Check.exact(
                        "ggml_fit_affine",
                        List.of(
                                new Affine(1, SIZE, new AffineSearch(15, -1, 0.1f, 21, false)),
                                new Affine(33, SMALL, new AffineSearch(3, -0.5f, 0.1f, 16, true)),
                                new Affine(131, SIZE, new AffineSearch(31, -0.9f, 0.05f, 37, false)))),
                Check.exact("ggml_fit_descent", List.of(new Descent(1), new Descent(33), new Descent(131))),
                Check.exact("ggml_fit_codebook", List.of(new Codebook(1), new Codebook(33), new Codebook(131))));
    }

    /** Weights of which some groups are much smaller than others, and every seventh is zero. */
    static DeviceMatrix weights(Bench bench, int groups, int size) {
        float[] values = bench.gaussian(groups * size, 1);
        for (int i = 0; i < values.length; i++) {
            int group = i / size;
            values[i] = group % 7 == 3 ? 0 : Math.scalb(values[i], -(group % 5));
        }
        return bench.matrix(DType.F32, Layout.dense(groups, size), values);
    }

    /** Positive numbers. */
    static DeviceMatrix positive(Bench bench, int rows, int columns) {
        float[] values = bench.gaussian(rows * columns, 1);
        for (int i = 0; i < values.length; i++) {
            values[i] = Math.abs(values[i]) + Float.MIN_NORMAL;
        }
        return bench.matrix(DType.F32, Layout.dense(rows, columns), values);
    }

    private static DeviceMatrix row(Bench bench, int count) {
        return bench.blank(DType.F32, Layout.dense(1, count));
    }

    record Spreads(int count, int length) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix spreads = row(bench, count);
            new GgmlFitKernels(bench.stream()).spreads(weights(bench, count, length), 48, spreads);
            return List.of(bench.read("spreads", spreads));
        }
    }

    /** The four kinds of weights of errors. */
    enum Errors {
        SQUARES,
        MAGNITUDES,
        IMPORTANCE_BY_SIZE,
        IMPORTANCE;

        boolean hasSpreads() {
            return this == MAGNITUDES || this == IMPORTANCE_BY_SIZE;
        }

        boolean hasImportance() {
            return this == IMPORTANCE_BY_SIZE || this == IMPORTANCE;
        }

        boolean isSquared() {
            return this == SQUARES || this == IMPORTANCE_BY_SIZE;
        }
    }

    record ErrorWeights(int rows, int columns, Errors errors) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix x = bench.gaussian(DType.F32, Layout.dense(rows, columns), 1);
            DeviceMatrix weights = bench.blank(DType.F32, Layout.dense(rows, columns));
            new GgmlFitKernels(bench.stream())
                    .errorWeights(
                            x,
                            errors.hasSpreads() ? positive(bench, 1, rows * columns / SIZE) : null,
                            errors.hasImportance() ? positive(bench, 1, columns) : null,
                            errors.isSquared(),
                            weights);
            return List.of(bench.read("weights of errors", weights));
        }
    }

    record Symmetric(int groups, int size, int half) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix levels = bench.blank(DType.U8, Layout.dense(groups, size));
            DeviceMatrix scales = row(bench, groups);
            DeviceMatrix sums = row(bench, groups);
            new GgmlFitKernels(bench.stream())
                    .symmetric(
                            weights(bench, groups, size), positive(bench, groups, size), half, levels, scales, sums);
            return List.of(
                    bench.read("levels", levels), bench.read("scales", scales), bench.read("sums of weights", sums));
        }
    }

    record Affine(int groups, int size, AffineSearch search) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix levels = bench.blank(DType.U8, Layout.dense(groups, size));
            DeviceMatrix scales = row(bench, groups);
            DeviceMatrix mins = row(bench, groups);
            DeviceMatrix sums = row(bench, groups);
            new GgmlFitKernels(bench.stream())
                    .affine(
                            weights(bench, groups, size),
                            positive(bench, groups, size),
                            search,
                            levels,
                            scales,
                            mins,
                            sums);
            return List.of(
                    bench.read("levels", levels),
                    bench.read("scales", scales),
                    bench.read("minima", mins),
                    bench.read("sums of weights", sums));
        }
    }

    record Descent(int groups) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix levels = bench.blank(DType.U8, Layout.dense(groups, SMALL));
            DeviceMatrix scales = row(bench, groups);
            new GgmlFitKernels(bench.stream()).descent(weights(bench, groups, SMALL), levels, scales);
            return List.of(bench.read("levels", levels), bench.read("scales", scales));
        }
    }

    record Codebook(int groups) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix scales = row(bench, groups);
            new GgmlFitKernels(bench.stream())
                    .codebook(weights(bench, groups, SIZE), positive(bench, groups, SIZE), scales);
            return List.of(bench.read("scales", scales));
        }
    }
}
