package io.gpuquant.format;

/** The two versions of the GPTQ checkpoint format. They differ in how zero points are stored. */
public enum GptqVersion implements PackedFormat {
    /** {@code checkpoint_format: gptq}. A stored zero point is one less than the real one; every engine reads it. */
    V1("gptq", 1),
    /** {@code checkpoint_format: gptq_v2}. Zero points are stored as they are. */
    V2("gptq_v2", 0);

    private final String formatName;
    private final int storedOffset;

    GptqVersion(String formatName, int storedOffset) {
        this.formatName = formatName;
        this.storedOffset = storedOffset;
    }

    /** The value of {@code checkpoint_format}. */
    @Override
    public String formatName() {
        return formatName;
    }

    /** What is subtracted from a zero point before it is stored. */
    public int storedOffset() {
        return storedOffset;
    }

    @Override
    public int smallestZero() {
        return storedOffset;
    }
}
