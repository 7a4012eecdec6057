package io.gpuquant.format;

import java.util.Optional;

/**
 * A linear whose weights are numbers of a narrow type times scales, read on the processor, one value at a time, by code that
 * has nothing in common with the kernels that write the format.
 */
public sealed interface ElementLinear permits ScaledLinear, TableLinear {

    /** Input features. */
    int in();

    /** Output features. */
    int out();

    /** The weight that an engine computes with, before it is rounded to the type it computes in. */
    float weight(int outputFeature, int inputFeature);

    /** The scales of its blocks, as weights are multiplied with them. */
    float[] scaleValues();

    /** The first thing that no such linear has: a scale that is not finite, or a code that is no number; with its place. */
    Optional<String> fault();
}
