package io.gpuquant.evaluate;

import java.util.List;
import java.util.Optional;

/**
 * What a model makes of a text, and how far that is from what a reference makes of it.
 *
 * @param tokens the log-probabilities of the text's tokens
 * @param divergence the mean Kullback-Leibler divergence from the reference's predictions, in nats; 0 for the reference
 * @param agreement the share of predictions whose likeliest token is the reference's; two that are equally likely both count
 * @param layerErrors after each layer, the squared distance of the residual stream to the reference's, over the square of the
 *     latter
 * @param weights how far its linears are from the reference's, where that was asked for
 */
public record ModelScores(
        TokenScores tokens,
        double divergence,
        double agreement,
        List<Double> layerErrors,
        Optional<WeightScores> weights) {

    public ModelScores {
        layerErrors = List.copyOf(layerErrors);
    }
}
