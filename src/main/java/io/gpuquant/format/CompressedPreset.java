package io.gpuquant.format;

/** The schemes of compressed-tensors whose weights are elements with scales, by the names it gives them. */
public enum CompressedPreset {
    /** INT8, a scale for each output feature; activations INT8, a scale for each token. */
    W8A8("int-quantized", ElementType.INT8, "channel", 0, Activations.TOKEN),
    /** FP8, a scale for each weight; activations FP8 with one known beforehand. */
    FP8("float-quantized", ElementType.E4M3, "tensor", 0, Activations.STATIC),
    /** FP8, a scale for each output feature; activations FP8, a scale for each token. */
    FP8_DYNAMIC("float-quantized", ElementType.E4M3, "channel", 0, Activations.TOKEN),
    /** FP8, a scale for each block of 128 by 128; activations FP8, a scale for each token and 128 features. */
    FP8_BLOCK("float-quantized", ElementType.E4M3, "block", 128, Activations.GROUP),
    /** FP4, an FP8 scale for 16 weights and a float32 scale for all; activations likewise, the latter known beforehand. */
    NVFP4("nvfp4-pack-quantized", ElementType.E2M1, "tensor_group", 16, Activations.LOCAL),
    /** The same with activations as they are. */
    NVFP4A16("nvfp4-pack-quantized", ElementType.E2M1, "tensor_group", 16, Activations.NONE),
    /** FP4, a power of two for 32 weights; activations likewise. */
    MXFP4("mxfp4-pack-quantized", ElementType.E2M1, "group", 32, Activations.GROUP),
    /** FP8, a power of two for 32 weights; activations likewise. */
    MXFP8("mxfp8-quantized", ElementType.E4M3, "group", 32, Activations.GROUP);

    /** How engines quantize activations. */
    enum Activations {
        NONE,
        /** With a scale that is found for each token. */
        TOKEN,
        /** With scales that are found for each group of each token. */
        GROUP,
        /** With a scale that the file has. */
        STATIC,
        /** With scales that are found for each group, and one that the file has. */
        LOCAL
    }

    private final String format;
    private final ElementType type;
    private final String strategy;
    private final int groupSize;
    private final Activations activations;

    CompressedPreset(String format, ElementType type, String strategy, int groupSize, Activations activations) {
        this.format = format;
        this.type = type;
        this.strategy = strategy;
        this.groupSize = groupSize;
        this.activations = activations;
    }

    /** The value of {@code format} in config.json. */
    String format() {
        return format;
    }

    /** The type of weights. */
    public ElementType type() {
        return type;
    }

    /** The value of {@code strategy}: what shares a scale. */
    String strategy() {
        return strategy;
    }

    /** Weights of a row that share a scale; 0 where the strategy says it all. */
    int groupSize() {
        return groupSize;
    }

    Activations activations() {
        return activations;
    }

    /** Whether the file has scales of activations, which must come from a calibration. */
    public boolean needsRanges() {
        return activations == Activations.STATIC || activations == Activations.LOCAL;
    }

    /** Whether scales of groups are powers of two. */
    public boolean isMicroscaled() {
        return this == MXFP4 || this == MXFP8;
    }

    /** Whether scales of groups are FP8, and have a scale themselves. */
    public boolean isTwoLevel() {
        return this == NVFP4 || this == NVFP4A16;
    }
}
