package io.gpuquant.kernels.selftest;

import io.gpuquant.device.Blas;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.kernels.ProductTile;
import io.gpuquant.kernels.PtxBlas;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/** Cases for {@code gemm.ptx}, {@code gemm_half.ptx} and {@code gram.ptx}, and for the products of the device's library. */
final class ProductChecks {

    private static final String BOUND = "(k/8 + 8) 2^-23 of the sum of magnitudes, for sums of k products";

    private static final String BOUND_OF_TF32 = BOUND + ", and 2^-10 of it";

    private ProductChecks() {}

    /** Products and Gram matrices by kernels. Float32 is added in a fixed order, half types by matrix units. */
    static List<Check> ofKernels() {
        return List.of(
                Check.exact("gemm_f32", kernelProducts(DType.F32, ProductTile.MEDIUM)),
                Check.bounded("gemm_f16", BOUND, kernelProducts(DType.F16, ProductTile.MEDIUM)),
                Check.bounded("gemm_bf16", BOUND, kernelProducts(DType.BF16, ProductTile.MEDIUM)),
                Check.bounded("gemm_f16_64x64", BOUND, kernelProducts(DType.F16, ProductTile.SMALL)),
                Check.bounded("gemm_bf16_64x64", BOUND, kernelProducts(DType.BF16, ProductTile.SMALL)),
                Check.bounded("gemm_f16_128x256", BOUND, kernelProducts(DType.F16, ProductTile.LARGE)),
                Check.bounded("gemm_bf16_128x256", BOUND, kernelProducts(DType.BF16, ProductTile.LARGE)),
                Check.exact("gram_f32", grams(DType.F32, false)),
                Check.bounded("gram_f16", BOUND, grams(DType.F16, false)),
                Check.bounded("gram_bf16", BOUND, grams(DType.BF16, false)));
    }

    /** Products and Gram matrices by whatever library the device has. */
    static List<Check> ofLibrary() {
        List<Case> products = new ArrayList<>();
        List<Case> grams = new ArrayList<>();
        for (DType type : Cases.TYPES) {
            shapes(type).forEach(product -> products.add(new LibraryProduct(product)));
            grams.addAll(grams(type, true));
        }
        List<Case> rounded =
                shapes(DType.F32).stream().<Case>map(RoundedProduct::new).toList();
        return List.of(
                Check.bounded("library products", BOUND, products),
                Check.bounded("library products, TF32", BOUND_OF_TF32, rounded),
                Check.bounded("library Grams", BOUND, grams));
    }

    private static List<Case> kernelProducts(DType type, ProductTile tile) {
        return shapes(type).stream()
                .<Case>map(product -> new KernelProduct(product, tile))
                .toList();
    }

    private static List<Product> shapes(DType type) {
        return List.of(
                new Product(type, 1, 1, 1, false, false, 0, 1, 0),
                Product.dense(type, 33, 31, 129),
                Product.dense(type, 129, 136, 40),
                Product.dense(type, 1100, 130, 8),
                new Product(type, 31, 33, 65, false, false, 3, 1, 1),
                new Product(type, 136, 40, 64, true, false, 8, 1, 0),
                new Product(type, 33, 65, 31, true, false, 8, 2, -0.5f),
                new Product(type, 17, 9, 70, true, true, 1, 3, 0));
    }

    private static List<Case> grams(DType type, boolean library) {
        return List.of(
                new Gram(type, 1, 1, 0, library),
                new Gram(type, 33, 31, 3, library),
                new Gram(type, 40, 136, 0, library),
                new Gram(type, 20, 133, 2, library),
                new Gram(type, 2051, 5, 3, library));
    }

    record KernelProduct(Product product, ProductTile tile) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            Product.Operands operands = product.on(bench);
            Output result = operands.multiply(new PtxBlas(tile));
            return List.of(product.dtype() == DType.F32 ? result : result.within(operands.deviation()));
        }
    }

    record LibraryProduct(Product product) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            return List.of(product.on(bench).multiply(bench.device().blas()));
        }

        @Override
        public List<Output> expected(Bench reference) {
            Product.Operands operands = product.on(reference);
            return List.of(operands.exact(operands.deviation()));
        }
    }

    /** A product of which the library may round operands to TF32. */
    record RoundedProduct(Product product) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            return List.of(product.on(bench).multiply(bench.device().blas(), Gemm.Rounding.TF32));
        }

        @Override
        public List<Output> expected(Bench reference) {
            Product.Operands operands = product.on(reference);
            return List.of(operands.exact(operands.deviationOfTf32()));
        }
    }

    /** {@code G += XᵀX}; what is written below the diagonal is of no account. */
    record Gram(DType type, int tokens, int n, int gap, boolean library) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            float[] values = x(bench);
            DeviceMatrix x = bench.matrix(type, layoutX(), values);
            DeviceMatrix g = bench.matrix(DType.F32, layoutG(), before(bench));
            Blas blas = library ? bench.device().blas() : new PtxBlas();
            blas.addGram(bench.stream(), x, g);
            Output result = bench.read("Gram matrix", g);
            boolean exact = type == DType.F32 && !library;
            return List.of(result.within(exact ? upper((row, column) -> 0) : deviation(values)));
        }

        @Override
        public List<Output> expected(Bench reference) {
            if (!library) {
                return run(reference);
            }
            float[] x = x(reference);
            float[] before = before(reference);
            double[] result = new double[before.length];
            for (int i = 0; i < result.length; i++) {
                int row = i / layoutG().stride();
                int column = i % layoutG().stride();
                result[i] = before[i] + (column < n ? sum(x, row, column, false) : 0);
            }
            return List.of(Output.of("Gram matrix", result).within(deviation(x)));
        }

        private float[] x(Bench bench) {
            return Bench.rounded(type, bench.gaussian(layoutX().elements(), 1));
        }

        private float[] before(Bench bench) {
            return bench.gaussian(layoutG().elements(), 1);
        }

        private Tolerance deviation(float[] x) {
            double chain = Math.min(tokens, Blas.GRAM_CHAIN) / 8.0 + 8;
            return upper((row, column) -> chain * 0x1p-23 * (sum(x, row, column, true) + 4));
        }

        private double sum(float[] x, int row, int column, boolean ofMagnitudes) {
            double sum = 0;
            for (int token = 0; token < tokens; token++) {
                double term =
                        (double) x[layoutX().index(token, row)] * x[layoutX().index(token, column)];
                sum += ofMagnitudes ? Math.abs(term) : term;
            }
            return sum;
        }

        /** An element's tolerance by its place in the matrix. */
        private interface ByPlace {
            double allowed(int row, int column);
        }

        /** None in the gaps between rows, any below the diagonal. */
        private Tolerance upper(ByPlace tolerance) {
            return (element, expected) -> {
                int row = element / layoutG().stride();
                int column = element % layoutG().stride();
                if (column >= n) {
                    return 0;
                }
                return column < row ? Double.POSITIVE_INFINITY : tolerance.allowed(row, column);
            };
        }

        private Layout layoutX() {
            return new Layout(tokens, n, 0, n + gap);
        }

        private Layout layoutG() {
            return new Layout(n, n, 0, n + gap);
        }
    }
}
