package io.gpuquant.model;

import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The norms of a decoder layer.
 *
 * @param attention before the attention
 * @param mlp before the MLP
 * @param afterAttention of what the attention adds to the residual stream
 * @param afterMlp of what the MLP adds to the residual stream
 * @param query of each query head, before it is rotated
 * @param key of each key head, before it is rotated
 */
public record LayerNorms(
        Norm attention,
        Norm mlp,
        Optional<Norm> afterAttention,
        Optional<Norm> afterMlp,
        Optional<Norm> query,
        Optional<Norm> key) {

    /** Those as wide as the residual stream. */
    public List<Norm> ofStream() {
        return Stream.of(Optional.of(attention), Optional.of(mlp), afterAttention, afterMlp)
                .flatMap(Optional::stream)
                .toList();
    }

    /** Those as wide as a head. */
    public List<Norm> ofHeads() {
        return Stream.of(query, key).flatMap(Optional::stream).toList();
    }
}
