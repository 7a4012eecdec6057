package io.gpuquant.ptx.syntax;

import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The fundamental and packed types that instructions and declarations name. */
public enum PtxType {
    B8(8, Kind.BITS),
    B16(16, Kind.BITS),
    B32(32, Kind.BITS),
    B64(64, Kind.BITS),
    U8(8, Kind.UNSIGNED),
    U16(16, Kind.UNSIGNED),
    U32(32, Kind.UNSIGNED),
    U64(64, Kind.UNSIGNED),
    S8(8, Kind.SIGNED),
    S16(16, Kind.SIGNED),
    S32(32, Kind.SIGNED),
    S64(64, Kind.SIGNED),
    F16(16, Kind.FLOAT),
    F16X2(32, Kind.FLOAT),
    BF16(16, Kind.FLOAT),
    BF16X2(32, Kind.FLOAT),
    TF32(32, Kind.FLOAT),
    F32(32, Kind.FLOAT),
    F64(64, Kind.FLOAT),
    PRED(1, Kind.PREDICATE);

    private enum Kind {
        BITS,
        UNSIGNED,
        SIGNED,
        FLOAT,
        PREDICATE
    }

    private static final Map<String, PtxType> BY_NAME = new HashMap<>();

    static {
        for (PtxType type : values()) {
            BY_NAME.put(type.toString(), type);
        }
    }

    private final int bits;
    private final Kind kind;

    PtxType(int bits, Kind kind) {
        this.bits = bits;
        this.kind = kind;
    }

    /** The type with this name, written without its dot, or null. */
    public static @Nullable PtxType named(String name) {
        return BY_NAME.get(name);
    }

    /** Width in bits; one for a predicate. */
    public int bits() {
        return bits;
    }

    /** Width in memory. */
    public int bytes() {
        return bits / 8;
    }

    /** Whether values live in 64-bit registers. */
    public boolean isWide() {
        return bits == 64;
    }

    /** Whether the type is a signed integer. */
    public boolean isSigned() {
        return kind == Kind.SIGNED;
    }

    /** Whether the type is plain bits. */
    public boolean isBits() {
        return kind == Kind.BITS;
    }

    /** Whether the type is an integer or plain bits. */
    public boolean isInteger() {
        return kind == Kind.SIGNED || kind == Kind.UNSIGNED || kind == Kind.BITS;
    }

    /** Whether the type is a floating-point type. */
    public boolean isFloat() {
        return kind == Kind.FLOAT;
    }

    /**
     * Whether an operand of this type may stand in a register declared with another: plain bits agree with everything,
     * integers with integers whatever their sign, and floats with their own type only. Widths are compared elsewhere.
     */
    public boolean agreesWith(PtxType declared) {
        if (this == PRED || declared == PRED) {
            return this == declared;
        }
        // A register of packed halves counts as plain bits, as it does for NVIDIA's assembler.
        boolean bits = kind == Kind.BITS || declared.kind == Kind.BITS || declared == F16X2;
        return bits || isInteger() && declared.isInteger() || this == declared;
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
