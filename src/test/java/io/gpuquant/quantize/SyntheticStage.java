package io.gpuquant.quantize;

import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Linears that share an input, with what language models make hard: input features that go together and are of very
 * different sizes, a few of them far above the rest, and a few columns of weights likewise.
 *
 * @param outputs output features of each linear
 * @param in input features of all
 * @param weights [outputs of all, in]
 * @param gram [in, in], {@code XᵀX}
 */
@SuppressWarnings("ArrayRecordComponent") // Bulk data that is made once and only read.
record SyntheticStage(List<Integer> outputs, int in, float[] weights, float[] gram) {

    private static final int RANK = 24;
    private static final double WEIGHT_SIZE = 0.02;

    /** Sizes of features; every so many has a size of its own. */
    private record Sizes(int every, int from, double outlier) {

        private static final Sizes OF_WEIGHTS = new Sizes(61, 7, 6);
        private static final Sizes OF_INPUTS = new Sizes(53, 11, 30);

        double[] draw(SplittableRandom random, int count) {
            double[] sizes = new double[count];
            for (int i = 0; i < count; i++) {
                sizes[i] = i % every == from ? outlier : Math.exp(0.5 * random.nextGaussian());
            }
            return sizes;
        }
    }

    /** With twice as many tokens as input features. */
    static SyntheticStage of(long seed, int in, int... outputs) {
        return ofTokens(seed, 2 * in, in, outputs);
    }

    static SyntheticStage ofTokens(long seed, int tokens, int in, int... outputs) {
        SplittableRandom random = new SplittableRandom(seed);
        double[] columns = Sizes.OF_WEIGHTS.draw(random, in);
        float[] weights = new float[IntStream.of(outputs).sum() * in];
        for (int i = 0; i < weights.length; i++) {
            weights[i] = (float) (WEIGHT_SIZE * columns[i % in] * random.nextGaussian());
        }
        List<Integer> list = IntStream.of(outputs).boxed().toList();
        return new SyntheticStage(list, in, weights, gram(random, tokens, in));
    }

    private static float[] gram(SplittableRandom random, int tokens, int in) {
        double[] sizes = Sizes.OF_INPUTS.draw(random, in);
        double[] mixing = gaussian(random, RANK * in);
        double[] sum = new double[in * in];
        for (int token = 0; token < tokens; token++) {
            double[] sources = gaussian(random, RANK);
            double[] x = gaussian(random, in);
            for (int i = 0; i < in; i++) {
                for (int source = 0; source < RANK; source++) {
                    x[i] += 0.5 * sources[source] * mixing[source * in + i];
                }
                x[i] *= sizes[i];
            }
            addOuterProduct(x, sum);
        }
        float[] gram = new float[sum.length];
        for (int i = 0; i < gram.length; i++) {
            gram[i] = (float) sum[i];
        }
        return gram;
    }

    static void addOuterProduct(double[] x, double[] sum) {
        for (int i = 0; i < x.length; i++) {
            for (int j = 0; j < x.length; j++) {
                sum[i * x.length + j] += x[i] * x[j];
            }
        }
    }

    private static double[] gaussian(SplittableRandom random, int count) {
        double[] values = new double[count];
        for (int i = 0; i < count; i++) {
            values[i] = random.nextGaussian();
        }
        return values;
    }

    /** The same linears with another Gram matrix. */
    SyntheticStage withGram(float... other) {
        return new SyntheticStage(outputs, in, weights, other);
    }

    /** The same linears, of whose inputs some are zero for every token. */
    SyntheticStage withDead(int... features) {
        float[] dead = gram.clone();
        for (int feature : features) {
            for (int i = 0; i < in; i++) {
                dead[feature * in + i] = 0;
                dead[i * in + feature] = 0;
            }
        }
        return withGram(dead);
    }

    /** One of the linears alone. */
    SyntheticStage alone(int linear) {
        int first =
                outputs.subList(0, linear).stream().mapToInt(Integer::intValue).sum() * in;
        float[] own = new float[outputs.get(linear) * in];
        System.arraycopy(weights, first, own, 0, own.length);
        return new SyntheticStage(List.of(outputs.get(linear)), in, own, gram);
    }

    int rows() {
        return outputs.stream().mapToInt(Integer::intValue).sum();
    }

    double weight(int row, int feature) {
        return weights[row * in + feature];
    }

    double[] exactWeights() {
        double[] exact = new double[weights.length];
        for (int i = 0; i < exact.length; i++) {
            exact[i] = weights[i];
        }
        return exact;
    }

    /** The diagonal of the Gram matrix. */
    float[] diagonal() {
        float[] diagonal = new float[in];
        for (int i = 0; i < in; i++) {
            diagonal[i] = gram[i * in + i];
        }
        return diagonal;
    }

    /** The mean of the diagonal, which damping is a fraction of. */
    double meanDiagonal() {
        double sum = 0;
        for (float value : diagonal()) {
            sum += value;
        }
        return sum / in;
    }

    /** {@code m G mᵀ} of each row of a matrix [rows, in]. */
    double[] weightedNorms(double[] matrix) {
        double[] norms = new double[matrix.length / in];
        for (int row = 0; row < norms.length; row++) {
            for (int i = 0; i < in; i++) {
                double sum = 0;
                for (int j = 0; j < in; j++) {
                    sum += gram[i * in + j] * matrix[row * in + j];
                }
                norms[row] += sum * matrix[row * in + i];
            }
        }
        return norms;
    }
}
