package io.gpuquant.model;

/**
 * A norm of a model.
 *
 * @param tensor its weight, a vector
 */
public record Norm(String tensor, NormFlavour flavour) {}
