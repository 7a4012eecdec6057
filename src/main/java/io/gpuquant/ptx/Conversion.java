package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import java.util.Set;

/**
 * One form of {@code cvt}, on the bits of one lane.
 *
 * @param rounding the modifier, empty when there is none
 * @param targetBits width of the target register, which may exceed that of the target type
 */
record Conversion(PtxType target, PtxType source, String rounding, boolean flush, boolean saturate, int targetBits) {

    private static final Set<String> TO_INTEGRAL = Set.of("rni", "rzi", "rmi", "rpi");
    private static final Set<String> TO_FLOAT = Set.of("rn", "rz", "rm", "rp");
    private static final int TF32_DROPPED_BITS = 13;

    /**
     * Whether this is a conversion of PTX for sm_80. Modifiers that make no difference, such as saturation where a result
     * saturates anyway, are refused.
     */
    boolean isSupported() {
        if (flush && target != PtxType.F32 && source != PtxType.F32) {
            return false;
        }
        if (target.isFloat()) {
            return source.isFloat() ? isSupportedBetweenFloats() : isSupportedFromInteger();
        }
        return source.isFloat() ? isSupportedToInteger() : isSupportedBetweenIntegers();
    }

    private boolean isSupportedBetweenFloats() {
        boolean rounded = TO_FLOAT.contains(rounding);
        boolean exact = rounding.isEmpty();
        if (target == source && (exact || TO_INTEGRAL.contains(rounding))) {
            return target == PtxType.F16 || target == PtxType.F32 || target == PtxType.F64;
        }
        return switch (target) {
            case TF32 -> source == PtxType.F32 && rounding.equals("rna") && !flush && !saturate;
            case BF16 -> source == PtxType.F32 && rounded && !saturate;
            case F16 -> (source == PtxType.F32 || source == PtxType.F64) && rounded;
            case F32 ->
                switch (source) {
                    case F16 -> exact;
                    case BF16 -> exact && !flush && !saturate;
                    case F64 -> rounded;
                    default -> false;
                };
            case F64 -> exact && (source == PtxType.F16 || source == PtxType.F32);
            default -> false;
        };
    }

    private boolean isSupportedFromInteger() {
        boolean known = target == PtxType.F16 || target == PtxType.F32 || target == PtxType.F64;
        return known && isTyped(source) && TO_FLOAT.contains(rounding) && !flush && !saturate;
    }

    private boolean isSupportedToInteger() {
        boolean known = source == PtxType.F16 || source == PtxType.F32 || source == PtxType.F64;
        return known && isTyped(target) && TO_INTEGRAL.contains(rounding) && !saturate;
    }

    private boolean isSupportedBetweenIntegers() {
        return rounding.isEmpty() && isTyped(source) && isTyped(target) && !flush && (!saturate || losesValues());
    }

    /** Whether a type is an integer with or without sign, rather than plain bits. */
    private static boolean isTyped(PtxType type) {
        return type.isInteger() && !type.isBits();
    }

    private boolean losesValues() {
        int sourceDigits = source.isSigned() ? source.bits() - 1 : source.bits();
        int targetDigits = target.isSigned() ? target.bits() - 1 : target.bits();
        return sourceDigits > targetDigits || source.isSigned() && !target.isSigned();
    }

    /** The bits of the result, zero-extended; of {@code bits}, those of the source register, the low ones count. */
    long apply(long bits) {
        if (source.isFloat()) {
            double value = floatValue(bits);
            return target.isFloat() ? fromFloat(value) : toInteger(value);
        }
        return target.isFloat() ? fromInteger(bits) : betweenIntegers(bits);
    }

    private double floatValue(long bits) {
        return switch (source) {
            case F64 -> Double.longBitsToDouble(bits);
            case F32 -> FloatBits.value(flush ? FloatBits.flush((int) bits) : (int) bits);
            case F16 -> HalfArithmetic.F16.value((int) bits);
            default -> HalfArithmetic.BF16.value((int) bits);
        };
    }

    private long integerValue(long bits) {
        int unused = Long.SIZE - source.bits();
        return source.isSigned() ? bits << unused >> unused : bits << unused >>> unused;
    }

    private long fromFloat(double value) {
        double result = TO_INTEGRAL.contains(rounding) ? roundToIntegral(value) : value;
        if (saturate) {
            result = result > 0 ? Math.min(result, 1) : 0;
        }
        return format(result);
    }

    private long format(double value) {
        Rounding direction = TO_FLOAT.contains(rounding) ? Rounding.named(rounding) : Rounding.NEAREST_EVEN;
        return switch (target) {
            case F16 -> FloatFormat.F16.round(value, direction);
            case BF16 -> FloatFormat.BF16.round(value, direction);
            case TF32 ->
                Double.isNaN(value)
                        ? FloatBits.NAN
                        : FloatFormat.TF32.round(value, Rounding.NEAREST_AWAY) << TF32_DROPPED_BITS;
            case F64 -> FloatFormat.F64.round(value, direction);
            default -> {
                int bits = (int) FloatFormat.F32.round(value, direction);
                yield (flush ? FloatBits.flush(bits) : bits) & 0xffff_ffffL;
            }
        };
    }

    private long fromInteger(long bits) {
        long value = integerValue(bits);
        Rounding direction = Rounding.named(rounding);
        return switch (target) {
            case F16 -> FloatFormat.F16.round(value, source.isSigned(), direction);
            case F64 -> FloatFormat.F64.round(value, source.isSigned(), direction);
            default -> FloatFormat.F32.round(value, source.isSigned(), direction);
        };
    }

    private double roundToIntegral(double value) {
        return switch (rounding) {
            case "rni" -> Math.rint(value);
            case "rmi" -> Math.floor(value);
            case "rpi" -> Math.ceil(value);
            default -> value < 0 ? Math.ceil(value) : Math.floor(value);
        };
    }

    private long toInteger(double exact) {
        if (Double.isNaN(exact)) {
            // The specification's choice: zero, but the sign bit where 64 bits come in or go out.
            boolean wide = source == PtxType.F64 || target.bits() == Long.SIZE;
            return wide ? inRegister(target.isSigned() ? Long.MIN_VALUE >> Long.SIZE - target.bits() : signBit()) : 0;
        }
        double value = roundToIntegral(exact);
        if (target == PtxType.U64) {
            return unsignedLong(value);
        }
        // Out-of-range values saturate, as Java's casts do.
        long integer = (long) value;
        if (target.isSigned()) {
            long most = Long.MAX_VALUE >> Long.SIZE - target.bits();
            return inRegister(Math.clamp(integer, -most - 1, most));
        }
        return inRegister(Math.clamp(integer, 0, (1L << target.bits()) - 1));
    }

    private long signBit() {
        return 1L << target.bits() - 1;
    }

    private static long unsignedLong(double value) {
        if (value <= 0) {
            return 0;
        }
        if (value >= 0x1p64) {
            return -1;
        }
        return value < 0x1p63 ? (long) value : (long) (value - 0x1p63) ^ Long.MIN_VALUE;
    }

    private long betweenIntegers(long bits) {
        long value = integerValue(bits);
        if (saturate) {
            value = saturateInteger(value);
        }
        int unused = Long.SIZE - target.bits();
        return inRegister(target.isSigned() ? value << unused >> unused : value << unused >>> unused);
    }

    private long saturateInteger(long value) {
        boolean hugeSource = source == PtxType.U64 && value < 0;
        if (target.isSigned()) {
            long most = Long.MAX_VALUE >> Long.SIZE - target.bits();
            return hugeSource ? most : Math.clamp(value, -most - 1, most);
        }
        if (target.bits() == Long.SIZE) {
            return Math.max(value, 0);
        }
        long most = (1L << target.bits()) - 1;
        return hugeSource ? most : Math.clamp(value, 0, most);
    }

    /** Sign-extended or zero-extended to the width of the target register. */
    private long inRegister(long value) {
        int unused = Long.SIZE - targetBits;
        return value << unused >>> unused;
    }
}
