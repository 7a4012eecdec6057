package io.gpuquant.model;

/**
 * What determines a rotary embedding besides the head dimension.
 *
 * @param theta the base of the geometric row of wavelengths, {@code rope_theta}
 * @param scaling the change made to the frequencies for long contexts
 */
public record RopeParameters(double theta, RopeScaling scaling) {}
