package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import java.math.BigDecimal;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Values as the tables of instruction files state them: {@code 12}, {@code -1}, {@code 0xff}, for a predicate {@code 0} or
 * {@code 1}, for a float {@code 1.5}, {@code -0.0}, {@code 0x1.8p3}, {@code inf}, {@code nan} or its bits in hexadecimal, and
 * anywhere {@code f16(1.5)}, {@code bf16(1.5)} and {@code f16x2(low,high)}, {@code bf16x2(low,high)}. A float must have the
 * value exactly.
 */
final class Values {

    private static final Pattern HALF = Pattern.compile("(b?f16)\\(([^,]+)\\)");
    private static final Pattern PAIR = Pattern.compile("(b?f16)x2\\(([^,]+),([^,]+)\\)");
    private static final int SHORT = 0xffff;

    private Values() {}

    /** The bits of a value, zero-extended. */
    static long parse(String text, PtxType type) {
        Matcher half = HALF.matcher(text);
        if (half.matches()) {
            return half(half.group(1), half.group(2));
        }
        Matcher pair = PAIR.matcher(text);
        if (pair.matches()) {
            return half(pair.group(1), pair.group(3)) << 16 | half(pair.group(1), pair.group(2));
        }
        boolean negative = text.startsWith("-");
        String magnitude = negative ? text.substring(1) : text;
        if (magnitude.startsWith("0x") && !magnitude.contains("p")) {
            long bits = Long.parseUnsignedLong(magnitude.substring(2).replace("_", ""), 16);
            return fit(negative ? -bits : bits, type, text);
        }
        if (type == PtxType.F32) {
            return Integer.toUnsignedLong(single(text));
        }
        if (type == PtxType.F64) {
            return Double.doubleToRawLongBits(exactDouble(text));
        }
        return fit(negative ? Long.parseLong(text) : Long.parseUnsignedLong(text), type, text);
    }

    private static long fit(long value, PtxType type, String text) {
        int bits = type.bits();
        if (bits < Long.SIZE && (value < -1L << bits - 1 || value >= 1L << bits)) {
            throw new IllegalArgumentException(text + " does not fit ." + type);
        }
        return bits == Long.SIZE ? value : value & (1L << bits) - 1;
    }

    private static int single(String text) {
        double exact = exactDouble(text);
        float value = (float) exact;
        if (Double.isNaN(exact)) {
            return FloatBits.NAN;
        }
        if (value != exact) {
            throw new IllegalArgumentException(text + " is not a float32");
        }
        return Float.floatToRawIntBits(value);
    }

    private static double exactDouble(String text) {
        double value = switch (text) {
            case "nan" -> Double.NaN;
            case "inf" -> Double.POSITIVE_INFINITY;
            case "-inf" -> Double.NEGATIVE_INFINITY;
            default -> Double.parseDouble(text);
        };
        boolean decimal = !text.contains("0x") && !Double.isNaN(value) && !Double.isInfinite(value);
        if (decimal && new BigDecimal(value).compareTo(new BigDecimal(text)) != 0) {
            throw new IllegalArgumentException(text + " is not a float64");
        }
        return value;
    }

    private static long half(String format, String text) {
        if (text.equals("nan")) {
            return FloatBits.HALF_NAN;
        }
        if (text.startsWith("0x") && !text.contains("p")) {
            return Long.parseLong(text.substring(2), 16);
        }
        float value = Float.intBitsToFloat(single(text));
        int bits = format.equals("f16") ? Float.floatToFloat16(value) & SHORT : Float.floatToRawIntBits(value) >>> 16;
        float back = format.equals("f16") ? Float.float16ToFloat((short) bits) : Float.intBitsToFloat(bits << 16);
        if (back != value) {
            throw new IllegalArgumentException(text + " is not a " + format);
        }
        return bits;
    }

    /** Whether a result is the expected one. No payload of a NaN is promised for float64, nor by a fast machine at all. */
    static boolean matches(long expected, long actual, PtxType type, boolean checkedMachine) {
        return switch (type) {
            case F32 -> expected == actual || !checkedMachine && isNan32(expected) && isNan32(actual);
            case F64 ->
                expected == actual
                        || Double.isNaN(Double.longBitsToDouble(expected))
                                && Double.isNaN(Double.longBitsToDouble(actual));
            default -> expected == actual;
        };
    }

    private static boolean isNan32(long bits) {
        return Float.isNaN(Float.intBitsToFloat((int) bits));
    }

    /** Bits for a message. */
    static String describe(long bits, PtxType type) {
        String hex = "0x" + Long.toHexString(bits);
        return switch (type) {
            case F32 -> hex + " (" + Float.intBitsToFloat((int) bits) + ")";
            case F64 -> hex + " (" + Double.longBitsToDouble(bits) + ")";
            default -> hex;
        };
    }
}
