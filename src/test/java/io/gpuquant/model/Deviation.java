package io.gpuquant.model;

/** How far apart two computations of the same matrix are, and how far apart they may be. */
public final class Deviation {

    /** Unit roundoff of float32. */
    private static final double ROUNDOFF = 0x1p-24;

    private Deviation() {}

    /**
     * The largest difference in any row, divided by the row's root mean square: what an error means for a vector that is
     * normalized next, or turned into probabilities.
     */
    public static double relative(float[] actual, double[] expected, int columns) {
        if (actual.length != expected.length || actual.length % columns != 0) {
            throw new IllegalArgumentException(actual.length + " values, not " + expected.length);
        }
        double worst = 0;
        for (int start = 0; start < actual.length; start += columns) {
            double squares = 0;
            double largest = 0;
            for (int i = start; i < start + columns; i++) {
                squares += expected[i] * expected[i];
                double difference = Math.abs(actual[i] - expected[i]);
                // Not Math.max, so that a NaN is not lost.
                largest = difference <= largest ? largest : difference;
            }
            double relative = largest / Math.sqrt(squares / columns);
            worst = relative <= worst ? worst : relative;
        }
        return worst;
    }

    public static double relative(float[] actual, float[] expected, int columns) {
        double[] wide = new double[expected.length];
        for (int i = 0; i < wide.length; i++) {
            wide[i] = expected[i];
        }
        return relative(actual, wide, columns);
    }

    /**
     * What float32 costs, in units of {@link #relative}, after so many products one behind the other.
     *
     * <p>The sum of K terms of both signs, in any order, is a walk of K roundings, each of at most u times a partial sum.
     * Partial sums are as large as the result, up to {@code sqrt(k / K)}, and roundings are as often up as down, so the error is
     * about {@code sqrt(K) u / 2.4} of the result's root mean square. Five standard deviations cover the largest of 1e6
     * values, and two computations that differ by the order of their sums may err in opposite directions: twice that makes
     * {@code 4 sqrt(K) u}. What stands between the products, norms, rotation, softmax and SiLU, rounds a few times and is
     * less than that. Errors of products one behind the other add at worst.
     *
     * @param longestSum the longest sum of any product
     * @param products products between the input and the result
     */
    public static double tolerance(int longestSum, int products) {
        return 4 * Math.sqrt(longestSum) * ROUNDOFF * products;
    }

    /** Products of a layer that stand one behind the other: values, their weighted sum, output, gate or up, and down. */
    public static final int PRODUCTS_OF_LAYER = 5;

    /** The tolerance for the residual stream after some layers. */
    public static double toleranceAfter(int layers, ModelConfig config) {
        return tolerance(longestSum(config), PRODUCTS_OF_LAYER * layers);
    }

    /** The tolerance for the logits. */
    public static double toleranceOfLogits(ModelConfig config) {
        return tolerance(longestSum(config), PRODUCTS_OF_LAYER * config.numHiddenLayers() + 1);
    }

    /**
     * What it costs, in units of {@link #relative}, that frequencies and angles are float32: the angle of position p is
     * off by at most {@code 3 u p}, and so is a rotated query or key; scores are near one, and their errors average out in
     * the weighted sum of the values.
     */
    public static double ofAngles(int positions) {
        return 3 * ROUNDOFF * positions;
    }

    private static int longestSum(ModelConfig config) {
        return Math.max(Math.max(config.hiddenSize(), config.intermediateSize()), config.queryWidth());
    }
}
