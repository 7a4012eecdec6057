package io.gpuquant.quantize;

/** Turns weights into integers, scales and zero points. */
public sealed interface QuantizationMethod permits GptqMethod, RoundToNearest {

    /** Whether tasks must come with a Gram matrix. */
    boolean needsGram();

    /**
     * Quantizes linears that share their input; what is returned is the caller's to close.
     *
     * @throws io.gpuquant.InputException when a NaN or an infinity is on the diagonal of the Gram matrix, as it is wherever an
     *     input was not finite
     */
    QuantizedStage quantize(StageTask task);
}
