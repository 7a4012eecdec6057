package io.gpuquant.model;

/**
 * What determines a rotary embedding besides the head dimension.
 *
 * @param theta the base of the geometric row of wavelengths, {@code rope_theta}
 * @param scaling the change made to the frequencies for long contexts
 * @param rotaryFraction the part of each head that is rotated, {@code partial_rotary_factor}; at most 1
 */
public record RopeParameters(double theta, RopeScaling scaling, double rotaryFraction) {

    /** Of whole heads. */
    public RopeParameters(double theta, RopeScaling scaling) {
        this(theta, scaling, 1);
    }

    /** Elements of a head that are rotated, the first ones. */
    int rotaryDim(int headDim) {
        return (int) (headDim * rotaryFraction);
    }
}
