package io.gpuquant.model;

/** What the weight of an RMSNorm stands for. In both cases float32 values are normalized, multiplied, and rounded once. */
public enum NormFlavour {
    /** The factor itself. */
    WEIGHT(0),
    /** What the factor exceeds one by, as in Gemma. */
    ONE_PLUS_WEIGHT(1);

    private final float offset;

    NormFlavour(float offset) {
        this.offset = offset;
    }

    /** What is added to a stored weight to get the factor. */
    public float offset() {
        return offset;
    }
}
