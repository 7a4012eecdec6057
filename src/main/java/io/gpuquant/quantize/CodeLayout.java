package io.gpuquant.quantize;

/** In what shape a method hands over codes. */
public enum CodeLayout {
    /** {@link StageCodes.Bytes}. */
    BYTES,
    /** {@link StageCodes.Words} wherever the order of the columns allows it, else {@link StageCodes.Bytes}. */
    WORDS
}
