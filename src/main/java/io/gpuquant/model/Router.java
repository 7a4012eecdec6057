package io.gpuquant.model;

/**
 * What sends tokens to experts. It is never quantized: its few weights decide which of all others a token meets.
 *
 * @param linear gives a logit for each expert
 * @param perToken experts that a token goes to
 * @param normalized whether the shares of a token's experts add up to one, and not to their part of the softmax
 */
public record Router(LinearSpec linear, int perToken, boolean normalized) {}
