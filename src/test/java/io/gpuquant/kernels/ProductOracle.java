package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;

/** What products should give. */
final class ProductOracle {

    /** A unit in the last place of a float32 near one. */
    private static final double ULP = 0x1p-23;

    private ProductOracle() {}

    /** Class A: each sum in ascending order by fused multiply-adds of float32. */
    static float[] inOrder(Product product) {
        float[] results = new float[product.c().length];
        product.forEachElement((index, row, column, before) -> {
            float sum = 0;
            for (int l = 0; l < row.length; l++) {
                sum = Math.fma(row[l], column[l], sum);
            }
            results[index] = product.beta() == 0
                    ? product.alpha() * sum
                    : Math.fma(product.beta(), before, product.alpha() * sum);
        });
        return results;
    }

    /**
     * Class B: the largest error is at most {@code (k/8 + 8) 2^-23} of the sum of magnitudes, the bound of a matrix unit
     * that truncates each group of 8 terms or more, with room for alpha and beta; the mean error is at most
     * {@code 4 sqrt(k/8) 2^-24} of the product of the norms, which a bias that grows with k would break.
     */
    static void requireClose(Product product, float[] results) {
        double groups = product.k() / 8.0;
        double[] meanSquare = new double[1];
        product.forEachElement((index, row, column, before) -> {
            double sum = 0;
            double magnitude = 0;
            double rowSquare = 0;
            double columnSquare = 0;
            for (int l = 0; l < row.length; l++) {
                sum += (double) row[l] * column[l];
                magnitude += Math.abs((double) row[l] * column[l]);
                rowSquare += (double) row[l] * row[l];
                columnSquare += (double) column[l] * column[l];
            }
            double old = product.beta() == 0 ? 0 : (double) product.beta() * before;
            double error = results[index] - (product.alpha() * sum + old);
            double bound = (groups + 8) * ULP * (Math.abs(product.alpha()) * magnitude + Math.abs(old));
            assertThat(Math.abs(error))
                    .describedAs("%s, element %d", product, index)
                    .isLessThanOrEqualTo(bound);
            if (product.k() > 0) {
                meanSquare[0] += error * error / (rowSquare * columnSquare) / results.length;
            }
        });
        if (product.k() >= 8 && product.alpha() == 1 && product.beta() == 0) {
            assertThat(Math.sqrt(meanSquare[0]))
                    .describedAs("mean error of %s", product)
                    .isLessThanOrEqualTo(4 * ULP / 2 * Math.sqrt(groups));
        }
    }
}
