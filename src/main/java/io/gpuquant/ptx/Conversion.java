package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import java.math.BigDecimal;

/**
 * One form of {@code cvt}, on the bits of one lane.
 *
 * @param rounding the modifier, empty when there is none
 * @param targetBits width of the target register, which may exceed that of the target type
 */
record Conversion(PtxType target, PtxType source, String rounding, boolean flush, boolean saturate, int targetBits) {

    private static final int TF32_ROUND = 0x1000;
    private static final int TF32_MASK = 0xffffe000;

    /** Whether PTX has this conversion and {@link #apply} computes it. */
    boolean isSupported() {
        if (target == PtxType.TF32) {
            return source == PtxType.F32 && rounding.equals("rna");
        }
        if (target.isFloat() && source.isFloat()) {
            boolean integral = rounding.endsWith("i") && !rounding.equals("i");
            if (integral) {
                return target == source && (target == PtxType.F32 || target == PtxType.F64);
            }
            return switch (target) {
                case F32 -> source != PtxType.F64 || !rounding.isEmpty();
                case F64 -> rounding.isEmpty();
                case F16, BF16 -> source == PtxType.F32 && (rounding.equals("rn") || rounding.equals("rz"));
                default -> false;
            };
        }
        if (target.isFloat()) {
            return switch (target) {
                case F32, F64, F16 -> rounding.equals("rn") || rounding.equals("rz") && target == PtxType.F32;
                default -> false;
            };
        }
        if (source.isFloat()) {
            return rounding.endsWith("i");
        }
        return rounding.isEmpty() && source.isInteger() && target.isInteger();
    }

    /** The bits of the result, zero-extended; {@code bits} are those of the source register, zero-extended. */
    long apply(long bits) {
        if (target == PtxType.TF32) {
            return tf32((int) bits) & 0xffff_ffffL;
        }
        if (source.isFloat()) {
            return target.isFloat() ? floatToFloat(bits) : floatToInteger(bits);
        }
        return target.isFloat() ? integerToFloat(bits) : integerToInteger(bits);
    }

    private static int tf32(int bits) {
        return Float.isNaN(FloatBits.value(bits)) ? FloatBits.NAN : bits + TF32_ROUND & TF32_MASK;
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

    private long floatToFloat(long bits) {
        double value = floatValue(bits);
        if (rounding.endsWith("i")) {
            value = roundToIntegral(value);
        }
        if (target == PtxType.F64) {
            return FloatBits.of(value);
        }
        float single = source == PtxType.F64 ? toSingle(value) : (float) value;
        int result = switch (target) {
            case F32 -> FloatBits.canonical(FloatBits.of(single));
            case F16 ->
                rounding.equals("rz") ? truncateHalf(HalfArithmetic.F16, single) : HalfArithmetic.F16.round(single);
            default ->
                rounding.equals("rz") ? truncateHalf(HalfArithmetic.BF16, single) : HalfArithmetic.BF16.round(single);
        };
        if (target == PtxType.F32) {
            result = flush ? FloatBits.flush(result) : result;
            result = saturate ? FloatBits.saturate(result) : result;
        }
        return result & 0xffff_ffffL;
    }

    private float toSingle(double value) {
        float nearest = (float) value;
        if (rounding.equals("rn") || Double.isNaN(value) || Double.isInfinite(value) || value == nearest) {
            return nearest;
        }
        DirectedRounding.Mode mode = switch (rounding) {
            case "rz" -> DirectedRounding.Mode.TOWARD_ZERO;
            case "rm" -> DirectedRounding.Mode.DOWN;
            default -> DirectedRounding.Mode.UP;
        };
        return DirectedRounding.round(new BigDecimal(value), nearest, mode);
    }

    private static int truncateHalf(HalfArithmetic format, float value) {
        int nearest = format.round(value);
        float back = format.value(nearest);
        // Bits of one sign order like magnitudes, so one step toward zero is one less; from infinity it is the largest.
        return Math.abs(back) > Math.abs(value) ? nearest - 1 : nearest;
    }

    private double roundToIntegral(double value) {
        return switch (rounding) {
            case "rni" -> Math.rint(value);
            case "rmi" -> Math.floor(value);
            case "rpi" -> Math.ceil(value);
            default -> value < 0 ? Math.ceil(value) : Math.floor(value);
        };
    }

    private long floatToInteger(long bits) {
        double value = roundToIntegral(floatValue(bits));
        if (Double.isNaN(value)) {
            return 0;
        }
        if (target == PtxType.U64) {
            return unsignedLong(value);
        }
        // Out-of-range values saturate, as Java's casts do.
        long exact = (long) value;
        if (target.isSigned()) {
            long most = Long.MAX_VALUE >> Long.SIZE - target.bits();
            return inRegister(Math.clamp(exact, -most - 1, most));
        }
        return inRegister(Math.clamp(exact, 0, (1L << target.bits()) - 1));
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

    private long integerToFloat(long bits) {
        long value = integerValue(bits);
        boolean unsignedWide = source == PtxType.U64 && value < 0;
        BigDecimal exact = unsignedWide ? new BigDecimal(Long.toUnsignedString(value)) : BigDecimal.valueOf(value);
        if (target == PtxType.F64) {
            return FloatBits.of(unsignedWide ? exact.doubleValue() : (double) value);
        }
        float nearest = unsignedWide ? exact.floatValue() : (float) value;
        if (rounding.equals("rz")) {
            nearest = DirectedRounding.round(exact, nearest, DirectedRounding.Mode.TOWARD_ZERO);
        }
        return (target == PtxType.F16 ? HalfArithmetic.F16.round(nearest) : FloatBits.of(nearest)) & 0xffff_ffffL;
    }

    private long integerToInteger(long bits) {
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
            return hugeSource ? value : Math.max(value, 0);
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
