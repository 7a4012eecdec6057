package io.gpuquant.model;

import java.util.List;

/**
 * How a model's attention weighs keys.
 *
 * @param scale what products of queries and keys are multiplied by
 * @param cap scores become {@code cap * tanh(score / cap)}; 0 for scores as they are
 * @param layers what layers differ in, one for each
 */
public record AttentionRules(double scale, double cap, List<LayerAttention> layers) {

    public AttentionRules {
        layers = List.copyOf(layers);
    }
}
