package io.gpuquant.quantize;

import java.util.SplittableRandom;

/** A linear, and inputs some of whose features are much larger than others, as in language models. */
record AwqInput(int rows, int in, int tokens, float[] weights, float[] x) {

    static AwqInput random(int rows, int in, int tokens, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] weights = new float[rows * in];
        float[] x = new float[tokens * in];
        double[] size = new double[in];
        for (int i = 0; i < in; i++) {
            size[i] = Math.exp(1.5 * random.nextGaussian());
        }
        for (int i = 0; i < weights.length; i++) {
            weights[i] = (float) (0.05 * random.nextGaussian());
        }
        for (int i = 0; i < x.length; i++) {
            x[i] = (float) (size[i % in] * random.nextGaussian());
        }
        return new AwqInput(rows, in, tokens, weights, x);
    }

    double[][] matrix() {
        double[][] matrix = new double[rows][in];
        for (int i = 0; i < weights.length; i++) {
            matrix[i / in][i % in] = weights[i];
        }
        return matrix;
    }

    double[][] gram() {
        double[][] gram = new double[in][in];
        for (int token = 0; token < tokens; token++) {
            for (int i = 0; i < in; i++) {
                for (int j = 0; j < in; j++) {
                    gram[i][j] += (double) x[token * in + i] * x[token * in + j];
                }
            }
        }
        return gram;
    }

    double[] means() {
        double[] means = new double[in];
        for (int i = 0; i < x.length; i++) {
            means[i % in] += Math.abs((double) x[i]) / tokens;
        }
        return means;
    }
}
