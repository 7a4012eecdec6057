package io.gpuquant.quantize;

import io.gpuquant.kernels.QuantizationGrid;

/**
 * How GPTQ works.
 *
 * @param grid how a group of weights becomes integers
 * @param groupSize input features that share a scale; -1 for all of a linear
 * @param ordering in which order input features take their turns
 * @param staticGroups whether the scales of all groups are found before any weight is changed
 * @param damping what is added to the diagonal of the Hessian, as a fraction of its mean
 */
public record GptqOptions(
        QuantizationGrid grid, int groupSize, Ordering ordering, boolean staticGroups, double damping) {

    /** Orders of input features. */
    public enum Ordering {
        /** As they are. */
        NATURAL,
        /** The most active first, groups among themselves and features within groups. */
        GROUP_AWARE,
        /** The most active first; groups are formed of consecutive turns unless they are static. */
        ACTIVATION
    }

    public GptqOptions {
        if (groupSize != -1 && groupSize < 1) {
            throw new IllegalArgumentException("groups of " + groupSize);
        }
        if (!(damping > 0 && damping < 1)) {
            throw new IllegalArgumentException("damping of " + damping);
        }
    }
}
