package io.gpuquant.device;

/** How attention is computed. The last bits of a result depend on it, so it is chosen, and never by what is faster just now. */
public enum AttentionMethod {
    /** Tiles of scores by matrix products, with the softmax between: for every head and every type. */
    TILED,
    /** A kernel that goes through the keys once and keeps no scores: for some sizes of heads, in half types. */
    FUSED
}
