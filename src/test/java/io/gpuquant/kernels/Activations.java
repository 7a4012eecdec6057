package io.gpuquant.kernels;

import java.util.SplittableRandom;

/** Activations as language models have them: correlated, of very different sizes, with a few channels far above the rest. */
final class Activations {

    private static final int RANK = 64;
    private static final int OUTLIERS = 6;
    private static final double OUTLIER_SIZE = 40;

    private Activations() {}

    /** The Gram matrix {@code 2/T XᵀX} of T such tokens; below the diagonal it is the same as above. */
    static float[] gram(SplittableRandom random, int tokens, int columns) {
        double[] mixed = Matrices.product(
                gaussian(random, tokens * RANK), gaussian(random, RANK * columns), tokens, RANK, columns);
        double[] own = gaussian(random, tokens * columns);
        double[] size = new double[columns];
        for (int column = 0; column < columns; column++) {
            size[column] = Math.exp(0.7 * random.nextGaussian());
        }
        for (int i = 0; i < OUTLIERS; i++) {
            size[random.nextInt(columns)] *= OUTLIER_SIZE;
        }
        double[] x = new double[tokens * columns];
        for (int i = 0; i < x.length; i++) {
            x[i] = (0.5 * mixed[i] + 0.3 * own[i]) * size[i % columns];
        }
        double[] gram = Matrices.product(Matrices.transposed(x, tokens, columns), x, columns, tokens, columns);
        float[] result = new float[gram.length];
        for (int i = 0; i < gram.length; i++) {
            result[i] = (float) (2 * gram[i] / tokens);
        }
        return result;
    }

    private static double[] gaussian(SplittableRandom random, int count) {
        double[] values = new double[count];
        for (int i = 0; i < count; i++) {
            values[i] = random.nextGaussian();
        }
        return values;
    }
}
