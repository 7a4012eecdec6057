package io.gpuquant.model;

import java.util.Set;

/**
 * The experts of a model.
 *
 * @param count experts of a layer
 * @param perToken experts that a token goes to
 * @param intermediateSize width of an expert's inner layer
 * @param normalized as in {@link Router}
 * @param denseLayers layers that have an MLP instead
 */
public record ExpertShape(int count, int perToken, int intermediateSize, boolean normalized, Set<Integer> denseLayers) {

    public ExpertShape {
        denseLayers = Set.copyOf(denseLayers);
    }
}
