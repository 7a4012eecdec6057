package io.gpuquant.model;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.AttentionRule;

/**
 * What attention does with heads that are ready, in which way it may: for each query of whole sequences, the sum of values
 * weighed by the softmax of its scores. A result does not depend on the other sequences that are computed with it.
 */
public sealed interface HeadAttention extends AutoCloseable permits TiledAttention, FusedAttention {

    /**
     * Computes the weighted sums.
     *
     * @param queries operand type [tokens, all heads], rotated
     * @param keys operand type [tokens, all heads of keys], rotated
     * @param values same type and extents as {@code keys}
     * @param out operand type [tokens, all heads], dense
     */
    void attend(DeviceMatrix queries, DeviceMatrix keys, DeviceMatrix values, AttentionRule rule, DeviceMatrix out);

    @Override
    void close();
}
