package io.gpuquant.ptx.syntax;

import java.math.BigInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Reads PTX literals. */
final class Literals {

    private static final int BINARY = 2;
    private static final int OCTAL = 8;
    private static final int DECIMAL = 10;
    private static final int HEXADECIMAL = 16;

    private static final Pattern FLOAT_BITS = Pattern.compile("0[fF]([0-9a-fA-F]{8})|0[dD]([0-9a-fA-F]{16})");
    private static final Pattern DECIMAL_FLOAT =
            Pattern.compile("\\d+\\.\\d*(?:[eE][-+]?\\d+)?|\\.\\d+(?:[eE][-+]?\\d+)?|\\d+[eE][-+]?\\d+");
    private static final Pattern INTEGER = Pattern.compile(
            "(?:0[xX](?<hex>[0-9a-fA-F]+)|0[bB](?<binary>[01]+)|0(?<octal>[0-7]+)|(?<decimal>0|[1-9]\\d*))U?");

    private Literals() {}

    /**
     * The value of a number token, or null when it is malformed or exceeds 64 bits.
     *
     * @param negative whether a minus sign stands before it, which the bits of a float cannot have
     */
    static Operand.@Nullable Immediate parse(Token token, boolean negative) {
        String text = token.text();
        Matcher bits = FLOAT_BITS.matcher(text);
        if (bits.matches()) {
            return negative ? null : floatBits(bits);
        }
        if (DECIMAL_FLOAT.matcher(text).matches()) {
            double value = Double.parseDouble(text);
            return new Operand.Immediate(
                    Double.doubleToRawLongBits(negative ? -value : value), Operand.Immediate.Form.F64_BITS);
        }
        Matcher integer = INTEGER.matcher(text);
        return integer.matches() ? integer(integer, negative) : null;
    }

    private static Operand.Immediate floatBits(Matcher bits) {
        return bits.group(1) != null
                ? new Operand.Immediate(Long.parseLong(bits.group(1), HEXADECIMAL), Operand.Immediate.Form.F32_BITS)
                : new Operand.Immediate(
                        Long.parseUnsignedLong(bits.group(2), HEXADECIMAL), Operand.Immediate.Form.F64_BITS);
    }

    private static Operand.@Nullable Immediate integer(Matcher integer, boolean negative) {
        BigInteger value;
        if (integer.group("hex") != null) {
            value = new BigInteger(integer.group("hex"), HEXADECIMAL);
        } else if (integer.group("binary") != null) {
            value = new BigInteger(integer.group("binary"), BINARY);
        } else if (integer.group("octal") != null) {
            value = new BigInteger(integer.group("octal"), OCTAL);
        } else {
            value = new BigInteger(integer.group("decimal"), DECIMAL);
        }
        if (value.bitLength() > Long.SIZE) {
            return null;
        }
        long bits = value.longValue();
        return new Operand.Immediate(negative ? -bits : bits, Operand.Immediate.Form.INTEGER);
    }
}
