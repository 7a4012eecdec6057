package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Operand;
import io.gpuquant.ptx.syntax.PtxType;

/** Literals as operands: which types they agree with, and the bits of the register that holds one. */
final class Immediates {

    private static final int SHORT_MASK = 0xffff;

    private Immediates() {}

    /** The bits of a literal as a source of {@code type}, narrow ones zero-extended. */
    static long bits(Operands operands, Operand.Immediate immediate, PtxType type) {
        return switch (immediate.form()) {
            case INTEGER -> integer(operands, immediate, type);
            case F32_BITS, F64_BITS -> floating(operands, immediate, type);
        };
    }

    private static long integer(Operands operands, Operand.Immediate immediate, PtxType type) {
        if (type.isFloat()) {
            throw operands.error("uses the integer " + immediate + " as a float; write it as 0f..., 0d... or 1.0");
        }
        long value = immediate.bits();
        if (type.isWide()) {
            return value;
        }
        long limit = 1L << type.bits();
        if (value < -limit / 2 || value >= limit) {
            throw operands.error("uses " + immediate + ", which does not fit into ." + type);
        }
        return type.bits() <= Short.SIZE ? value & SHORT_MASK : value;
    }

    private static long floating(Operands operands, Operand.Immediate immediate, PtxType type) {
        boolean single = immediate.form() == Operand.Immediate.Form.F32_BITS;
        long bits = immediate.bits();
        return switch (type) {
            case F32 -> single ? bits : Float.floatToRawIntBits((float) Double.longBitsToDouble(bits));
            case F64 -> single ? Double.doubleToRawLongBits(Float.intBitsToFloat((int) bits)) : bits;
            case B32 -> {
                if (!single) {
                    throw operands.error("uses the 64-bit float " + immediate + " as 32 plain bits");
                }
                yield bits;
            }
            case B64 -> {
                if (single) {
                    throw operands.error("uses the 32-bit float " + immediate + " as 64 plain bits");
                }
                yield bits;
            }
            default -> throw operands.error("uses the float " + immediate + " as ." + type);
        };
    }
}
