package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** {@code cvt}: between integers and floats of all widths. */
final class ConversionFamily implements Family {

    private static final int SHORT = 0xffff;

    /** Functions by conversion, so that the loops made for one are shared. */
    private static final Map<Conversion, Object> FUNCTIONS = new ConcurrentHashMap<>();

    private final boolean checked;

    ConversionFamily(boolean checked) {
        this.checked = checked;
    }

    @Override
    public boolean knows(Statement statement) {
        return statement.opcode().equals("cvt");
    }

    @Override
    public Operation decode(Modifiers modifiers, Operands operands) {
        PtxType source = modifiers.takeType();
        PtxType target = modifiers.takeType();
        String rounding = modifiers
                .takeOneOf("rn", "rz", "rm", "rp", "rna", "rni", "rzi", "rmi", "rpi")
                .orElse("");
        boolean flush = modifiers.take("ftz");
        boolean saturate = modifiers.take("sat");
        if (target == PtxType.F16X2 || target == PtxType.BF16X2) {
            return pack(modifiers, operands, target, source, rounding);
        }
        int targetBits = operands.registerBits(operands.get(0));
        Conversion conversion = new Conversion(target, source, rounding, flush, saturate, targetBits);
        if (!conversion.isSupported()) {
            throw modifiers.error("is not supported");
        }
        return operation(conversion, operands);
    }

    private Operation operation(Conversion conversion, Operands operands) {
        PtxType source = conversion.source();
        // A 64-bit register may take a narrower result, and a narrower source may stand in a 64-bit register only when
        // its
        // type says so.
        boolean wideTarget = conversion.targetBits() == Long.SIZE;
        if (source.isWide()) {
            return wideTarget
                    ? Loops.unary64(operands, source, (LaneFunctions.Long1)
                            FUNCTIONS.computeIfAbsent(conversion, c -> (LaneFunctions.Long1) a -> c.apply(a)))
                    : Loops.narrow(operands, source, (LaneFunctions.LongToInt) FUNCTIONS.computeIfAbsent(
                            conversion, c -> (LaneFunctions.LongToInt) a -> (int) c.apply(a)));
        }
        if (wideTarget) {
            return Loops.widen(operands, source, widening(conversion));
        }
        return Loops.unary32(operands, source, narrow(conversion));
    }

    private static LaneFunctions.IntToLong widening(Conversion conversion) {
        if (conversion.target().isInteger() && conversion.source() == PtxType.U32) {
            return a -> a & 0xffff_ffffL;
        }
        if (conversion.target().isInteger() && conversion.source() == PtxType.S32) {
            return a -> a;
        }
        return (LaneFunctions.IntToLong)
                FUNCTIONS.computeIfAbsent(conversion, c -> (LaneFunctions.IntToLong) a -> c.apply(a & 0xffff_ffffL));
    }

    /**
     * The conversions that kernels live of have functions of their own; the rest share a general one. So do those of a
     * checked machine, which makes a NaN canonical.
     */
    private LaneFunctions.Int1 narrow(Conversion conversion) {
        if (!checked && !conversion.flush() && !conversion.saturate()) {
            switch (conversion.target() + "." + conversion.source() + "." + conversion.rounding()) {
                case "f32.f16." -> {
                    return a -> FloatBits.of(Float.float16ToFloat((short) a));
                }
                case "f32.bf16." -> {
                    return a -> FloatBits.of(FloatBits.value(a << 16));
                }
                case "f16.f32.rn" -> {
                    return a -> HalfArithmetic.F16.round(FloatBits.value(a));
                }
                case "bf16.f32.rn" -> {
                    return a -> HalfArithmetic.BF16.round(FloatBits.value(a));
                }
                case "f32.s32.rn" -> {
                    return a -> Float.floatToRawIntBits((float) a);
                }
                case "f32.u32.rn" -> {
                    return a -> Float.floatToRawIntBits((float) (a & 0xffff_ffffL));
                }
                case "s32.f32.rni" -> {
                    return a -> (int) Math.rint(FloatBits.value(a));
                }
                default -> {
                    // Below.
                }
            }
        }
        return (LaneFunctions.Int1) FUNCTIONS.computeIfAbsent(
                conversion, c -> (LaneFunctions.Int1) a -> (int) c.apply(a & 0xffff_ffffL));
    }

    /** {@code cvt.rn.f16x2.f32 d, a, b}: the first source becomes the upper half. */
    private static Operation pack(
            Modifiers modifiers, Operands operands, PtxType target, PtxType source, String rounding) {
        if (source != PtxType.F32 || !rounding.equals("rn")) {
            throw modifiers.error("is not supported");
        }
        LaneFunctions.Int2 function = target == PtxType.F16X2
                ? (a, b) -> HalfArithmetic.F16.round(FloatBits.value(a)) << 16
                        | HalfArithmetic.F16.round(FloatBits.value(b)) & SHORT
                : (a, b) -> HalfArithmetic.BF16.round(FloatBits.value(a)) << 16
                        | HalfArithmetic.BF16.round(FloatBits.value(b)) & SHORT;
        return Loops.binary32(operands, source, function);
    }
}
