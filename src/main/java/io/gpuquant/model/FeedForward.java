package io.gpuquant.model;

/**
 * A gated MLP, or an expert that is one.
 *
 * @param in gate and up
 * @param out down
 */
public record FeedForward(Stage in, Stage out) {}
