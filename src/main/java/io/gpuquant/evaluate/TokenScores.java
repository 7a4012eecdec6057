package io.gpuquant.evaluate;

/**
 * The log-probability that a model gives to each token of some sequences, but for the first of each, which has nothing
 * before it.
 */
public final class TokenScores {

    private final float[][] logProbabilities;

    /**
     * @param logProbabilities natural logarithms, [sequences, length - 1]
     */
    TokenScores(float[][] logProbabilities) {
        this.logProbabilities = logProbabilities;
    }

    /** How many sequences there are. */
    public int sequences() {
        return logProbabilities.length;
    }

    /** The natural logarithms of one sequence, for its positions from 1. */
    public float[] ofSequence(int sequence) {
        return logProbabilities[sequence].clone();
    }

    /** Tokens that were scored. */
    public long tokens() {
        long tokens = 0;
        for (float[] sequence : logProbabilities) {
            tokens += sequence.length;
        }
        return tokens;
    }

    /** The mean negative log-probability of a token, in nats. */
    public double crossEntropy() {
        double sum = 0;
        for (float[] sequence : logProbabilities) {
            for (float logProbability : sequence) {
                sum -= logProbability;
            }
        }
        return sum / tokens();
    }

    /** The exponential of {@link #crossEntropy}. */
    public double perplexity() {
        return Math.exp(crossEntropy());
    }
}
