package io.gpuquant.format;

/** The layout of the compressed-tensors family that holds integer weights of less than eight bits. */
public enum CompressedTensors implements PackedFormat {
    /** {@code pack-quantized}: weights alone are quantized. vLLM, SGLang and transformers read it. */
    PACK_QUANTIZED;

    @Override
    public String formatName() {
        return "compressed-tensors";
    }

    @Override
    public int smallestZero() {
        return 0;
    }
}
