package io.gpuquant.gguf;

/**
 * What the choice of block types wants to know of a model.
 *
 * @param layers decoder layers
 * @param queriesPerKeyValueHead query heads that share a key head
 * @param experts experts of a layer; 0 for a model without
 * @param tied whether there is no {@code output.weight}, because the output head is the embedding
 * @param importance whether an importance matrix is at hand
 */
public record MixModel(int layers, int queriesPerKeyValueHead, int experts, boolean tied, boolean importance) {

    /** Whether the model has the shape of a 70B one: 80 layers and grouped queries. */
    boolean is70B() {
        return layers == 80 && queriesPerKeyValueHead > 1;
    }
}
