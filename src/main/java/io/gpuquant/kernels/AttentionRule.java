package io.gpuquant.kernels;

/**
 * How queries weigh keys.
 *
 * @param scale what products of queries and keys are multiplied by; positive and finite
 * @param causal whether a query sees no keys after its own
 * @param window how many keys a query sees at most, its own and those before it; zero for all
 * @param cap what scores s are kept below, as {@code cap * tanh(s / cap)}; zero for scores as they are
 */
public record AttentionRule(float scale, boolean causal, int window, float cap) {

    public AttentionRule {
        if (!(scale > 0) || Float.isInfinite(scale)) {
            throw new IllegalArgumentException("a scale of " + scale);
        }
        if (window < 0) {
            throw new IllegalArgumentException("a window of " + window);
        }
        if (!(cap >= 0) || Float.isInfinite(cap)) {
            throw new IllegalArgumentException("a cap of " + cap);
        }
    }

    /** Every key up to a query's own, with scores as they are. */
    public static AttentionRule causal(float scale) {
        return new AttentionRule(scale, true, 0, 0);
    }
}
