package io.gpuquant.ptx.syntax;

import java.math.BigInteger;
import org.jspecify.annotations.Nullable;

/** Reads PTX literals. */
final class Literals {

    private static final int OCTAL = 8;
    private static final int DECIMAL = 10;
    private static final int HEXADECIMAL = 16;

    private Literals() {}

    /** The value of a number token, or null when it exceeds 64 bits. */
    static Operand.@Nullable Immediate parse(Token token, boolean negative) {
        String text = token.text();
        String lower = text.toLowerCase(java.util.Locale.ROOT);
        if (lower.startsWith("0f")) {
            long bits = Long.parseLong(text.substring(2), HEXADECIMAL);
            return new Operand.Immediate(negative ? bits ^ 0x8000_0000L : bits, Operand.Immediate.Form.F32_BITS);
        }
        if (lower.startsWith("0d")) {
            long bits = Long.parseUnsignedLong(text.substring(2), HEXADECIMAL);
            return new Operand.Immediate(negative ? bits ^ Long.MIN_VALUE : bits, Operand.Immediate.Form.F64_BITS);
        }
        String digits = text.endsWith("U") ? text.substring(0, text.length() - 1) : text;
        BigInteger value = digits.startsWith("0x") || digits.startsWith("0X")
                ? new BigInteger(digits.substring(2), HEXADECIMAL)
                : new BigInteger(digits, digits.length() > 1 && digits.startsWith("0") ? OCTAL : DECIMAL);
        if (value.bitLength() > Long.SIZE) {
            return null;
        }
        long bits = value.longValue();
        return new Operand.Immediate(negative ? -bits : bits, Operand.Immediate.Form.INTEGER);
    }
}
