package io.gpuquant.evaluate;

import io.gpuquant.model.LinearSpec;

/**
 * How far the outputs of a linear are from a reference's when both get the reference's inputs.
 *
 * @param layer the index of its decoder layer
 * @param error {@code tr(ΔW G ΔWᵀ) / tr(W G Wᵀ)} with the Gram matrix G of the reference's inputs: the squared distance of the
 *     outputs over the square of the reference's, without biases, over all tokens
 */
public record LinearError(int layer, LinearSpec linear, double error) {}
