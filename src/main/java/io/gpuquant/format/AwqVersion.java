package io.gpuquant.format;

/** The layouts of AWQ checkpoints that can be written, AutoAWQ's {@code version}. */
public enum AwqVersion implements PackedFormat {
    /** Packed along the output features, in the order that dequantizing kernels pull nibbles out. Every engine reads it. */
    GEMM("gemm", 0x75316420),
    /** Packed along the input features, in their order. GPTQModel reads it, and with it transformers. */
    GEMV("gemv", 0x76543210);

    private final String formatName;
    private final int order;

    AwqVersion(String formatName, int order) {
        this.formatName = formatName;
        this.order = order;
    }

    @Override
    public String formatName() {
        return formatName;
    }

    /** Nibble i is the place, among the eight values of a word, of the value in nibble i of the word. */
    public int order() {
        return order;
    }

    @Override
    public int smallestZero() {
        return 0;
    }
}
