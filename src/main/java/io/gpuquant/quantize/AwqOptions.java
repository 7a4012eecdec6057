package io.gpuquant.quantize;

import io.gpuquant.kernels.QuantizationGrid;

/**
 * How AWQ works.
 *
 * @param grid how a group of weights becomes integers; zero points from 0, without a search of its own
 * @param groupSize input features that share a scale; -1 for all of a linear
 * @param ratios how many ratios between activations and weights are tried, from 0 on in equal steps below 1
 * @param duo whether weights have a part in the scales, and not activations alone
 * @param clip whether the range of each group is searched for, too
 */
public record AwqOptions(QuantizationGrid grid, int groupSize, int ratios, boolean duo, boolean clip) {

    public AwqOptions {
        if (groupSize != -1 && groupSize < 1) {
            throw new IllegalArgumentException("groups of " + groupSize);
        }
        if (ratios < 0) {
            throw new IllegalArgumentException(ratios + " ratios");
        }
    }

    /** Input features of a group of a linear with {@code in} of them. */
    public int groupSize(int in) {
        return groupSize == -1 ? in : groupSize;
    }
}
