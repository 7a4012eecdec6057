package io.gpuquant.gguf;

import java.util.Optional;

/**
 * The element types of GGUF tensors that gpuquant reads and writes. Rows of a tensor are stored as blocks of consecutive
 * weights; a type without quantization has blocks of one weight. Layouts: ggml, {@code ggml-common.h}.
 */
public enum GgmlType {
    F32(0, 1, 4),
    F16(1, 1, 2),
    Q4_0(2, 32, 18),
    Q4_1(3, 32, 20),
    Q5_0(6, 32, 22),
    Q5_1(7, 32, 24),
    Q8_0(8, 32, 34),
    Q2_K(10, 256, 84),
    Q3_K(11, 256, 110),
    Q4_K(12, 256, 144),
    Q5_K(13, 256, 176),
    Q6_K(14, 256, 210),
    IQ4_NL(20, 32, 18),
    IQ4_XS(23, 256, 136),
    BF16(30, 1, 2);

    private final int id;
    private final int blockSize;
    private final int blockBytes;

    GgmlType(int id, int blockSize, int blockBytes) {
        this.id = id;
        this.blockSize = blockSize;
        this.blockBytes = blockBytes;
    }

    /** The number that stands for the type in a file. */
    public int id() {
        return id;
    }

    /** Weights in a block. */
    public int blockSize() {
        return blockSize;
    }

    /** Bytes of a block. */
    public int blockBytes() {
        return blockBytes;
    }

    /** Whether several weights share a scale. */
    public boolean isQuantized() {
        return blockSize > 1;
    }

    /** Bits that a weight takes, scales included. */
    public double bitsPerWeight() {
        return 8.0 * blockBytes / blockSize;
    }

    /** Whether rows of this many weights consist of whole blocks. */
    public boolean divides(long columns) {
        return columns % blockSize == 0;
    }

    /**
     * Bytes of weights that fill whole blocks.
     *
     * @throws ArithmeticException if they do not, or if the count overflows
     */
    public long bytes(long weights) {
        if (!divides(weights)) {
            throw new ArithmeticException(weights + " weights do not fill blocks of " + blockSize + " of " + this);
        }
        return Math.multiplyExact(weights / blockSize, (long) blockBytes);
    }

    /** The type that a number stands for, if gpuquant knows it. */
    public static Optional<GgmlType> withId(int id) {
        for (GgmlType type : values()) {
            if (type.id == id) {
                return Optional.of(type);
            }
        }
        return Optional.empty();
    }

    /** The type with this name, in any case of letters. */
    public static Optional<GgmlType> named(String name) {
        for (GgmlType type : values()) {
            if (type.name().equalsIgnoreCase(name)) {
                return Optional.of(type);
            }
        }
        return Optional.empty();
    }
}
