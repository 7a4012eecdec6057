package io.gpuquant.tensor;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * An element type as the safetensors format names it. Some types are narrower than a byte, so sizes are in bits.
 *
 * @see <a href="https://github.com/huggingface/safetensors">safetensors, {@code Dtype}</a>
 */
public enum DType {
    BOOL(8, Kind.BOOLEAN),
    F4(4, Kind.FLOAT),
    F6_E2M3(6, Kind.FLOAT),
    F6_E3M2(6, Kind.FLOAT),
    U8(8, Kind.INTEGER),
    I8(8, Kind.INTEGER),
    F8_E5M2(8, Kind.FLOAT),
    F8_E4M3(8, Kind.FLOAT),
    F8_E5M2FNUZ(8, Kind.FLOAT),
    F8_E4M3FNUZ(8, Kind.FLOAT),
    F8_E8M0(8, Kind.FLOAT),
    U16(16, Kind.INTEGER),
    I16(16, Kind.INTEGER),
    F16(16, Kind.FLOAT),
    BF16(16, Kind.FLOAT),
    U32(32, Kind.INTEGER),
    I32(32, Kind.INTEGER),
    F32(32, Kind.FLOAT),
    C64(64, Kind.COMPLEX),
    U64(64, Kind.INTEGER),
    I64(64, Kind.INTEGER),
    F64(64, Kind.FLOAT);

    private enum Kind {
        BOOLEAN,
        INTEGER,
        FLOAT,
        COMPLEX
    }

    private static final Map<String, DType> BY_NAME = new HashMap<>();

    static {
        for (DType type : values()) {
            BY_NAME.put(type.name(), type);
        }
    }

    private final int bits;
    private final Kind kind;

    DType(int bits, Kind kind) {
        this.bits = bits;
        this.kind = kind;
    }

    /** Bits of one element. */
    public int bits() {
        return bits;
    }

    /**
     * Bytes of one element.
     *
     * @throws IllegalStateException for a type narrower than a byte
     */
    public int bytes() {
        if (bits % 8 != 0) {
            throw new IllegalStateException(name() + " has " + bits + " bits, not whole bytes");
        }
        return bits / 8;
    }

    /**
     * Bytes of {@code elements} consecutive elements.
     *
     * @throws ArithmeticException when the count overflows or does not fill whole bytes
     */
    public long bytes(long elements) {
        long totalBits = Math.multiplyExact(elements, (long) bits);
        if (totalBits % 8 != 0) {
            throw new ArithmeticException(elements + " elements of " + name() + " do not fill whole bytes");
        }
        return totalBits / 8;
    }

    /** Whether the type is a real floating-point type. */
    public boolean isFloat() {
        return kind == Kind.FLOAT;
    }

    /** Whether the type is one of the three that model weights are computed with: F32, F16 or BF16. */
    public boolean isComputeType() {
        return this == F32 || this == F16 || this == BF16;
    }

    /** The type with this safetensors name. */
    public static Optional<DType> named(String name) {
        return Optional.ofNullable(BY_NAME.get(name));
    }
}
