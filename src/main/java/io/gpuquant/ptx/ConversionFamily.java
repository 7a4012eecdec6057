package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;

/** {@code cvt}: between integers and floats of all widths. */
final class ConversionFamily implements Family {

    private static final int SHORT = 0xffff;
    private static final PtxType[] TYPES = {
        PtxType.U8,
        PtxType.S8,
        PtxType.U16,
        PtxType.S16,
        PtxType.U32,
        PtxType.S32,
        PtxType.U64,
        PtxType.S64,
        PtxType.F16,
        PtxType.BF16,
        PtxType.TF32,
        PtxType.F32,
        PtxType.F64,
        PtxType.F16X2,
        PtxType.BF16X2
    };

    private record Key(Conversion conversion, boolean wideSource) {}

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
        PtxType source = modifiers.takeType(TYPES);
        PtxType target = modifiers.takeType(TYPES);
        String rounding = modifiers
                .takeOneOf("rn", "rz", "rm", "rp", "rna", "rni", "rzi", "rmi", "rpi")
                .orElse("");
        boolean flush = modifiers.take("ftz");
        boolean saturate = modifiers.take("sat");
        if (target == PtxType.F16X2 || target == PtxType.BF16X2) {
            if (source != PtxType.F32 || !rounding.equals("rn") || flush || saturate) {
                throw modifiers.error("is not supported");
            }
            return pack(operands, target);
        }
        int targetBits = operands.registerBits(operands.get(0), target);
        Conversion conversion = new Conversion(target, source, rounding, flush, saturate, targetBits);
        if (!conversion.isSupported()) {
            throw modifiers.error("is not supported");
        }
        operands.requireCount(2);
        return operation(conversion, operands);
    }

    private Operation operation(Conversion conversion, Operands operands) {
        PtxType source = conversion.source();
        PtxType target = conversion.target();
        boolean wideSource = operands.registerBits(operands.get(1), source) == Long.SIZE;
        boolean wideTarget = conversion.targetBits() == Long.SIZE;
        // Only integers may stand in registers wider than they are.
        int out = target.isFloat() ? operands.target(0, target) : operands.wideTarget(0, target);
        int in = source.isFloat() ? operands.source(1, source) : operands.sourceOrSpecial(1, source);
        Object function = wideSource ? fromLong(conversion, wideTarget) : fromInt(conversion, wideTarget);
        Class<? extends Operation> loop;
        if (wideSource) {
            loop = wideTarget ? Unary64.class : Narrow.class;
        } else {
            loop = wideTarget ? Widen.class : Unary32.class;
        }
        return LoopSpecializer.operation(loop, function, out, in);
    }

    private static Object fromLong(Conversion conversion, boolean wideTarget) {
        Key key = new Key(conversion, true);
        return wideTarget
                ? LaneFunctions.<LaneFunctions.Long1>shared(key, () -> conversion::apply)
                : LaneFunctions.<LaneFunctions.LongToInt>shared(key, () -> a -> (int) conversion.apply(a));
    }

    private Object fromInt(Conversion conversion, boolean wideTarget) {
        Key key = new Key(conversion, false);
        if (!wideTarget) {
            return common(conversion);
        }
        boolean widens = conversion.target().isInteger() && conversion.target().isWide() && !conversion.saturate();
        if (widens && conversion.source() == PtxType.U32) {
            return (LaneFunctions.IntToLong) a -> a & 0xffff_ffffL;
        }
        if (widens && conversion.source() == PtxType.S32) {
            return (LaneFunctions.IntToLong) a -> a;
        }
        return LaneFunctions.<LaneFunctions.IntToLong>shared(key, () -> a -> conversion.apply(a & 0xffff_ffffL));
    }

    /**
     * The conversions that kernels live of have functions of their own; the rest share a general one. As in {@link
     * FloatModes}, a NaN becomes canonical on a checked machine.
     */
    private LaneFunctions.Int1 common(Conversion conversion) {
        if (!conversion.flush() && !conversion.saturate()) {
            switch (conversion.target() + "." + conversion.source() + "." + conversion.rounding()) {
                case "f32.f16." -> {
                    return checked
                            ? a -> FloatBits.canonical(FloatBits.of(Float.float16ToFloat((short) a)))
                            : a -> FloatBits.of(Float.float16ToFloat((short) a));
                }
                case "f32.bf16." -> {
                    return checked ? a -> FloatBits.canonical(a << 16) : a -> a << 16;
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
        return LaneFunctions.shared(new Key(conversion, false), () -> a -> (int) conversion.apply(a & 0xffff_ffffL));
    }

    /** {@code cvt.rn.f16x2.f32 d, a, b}: the first source becomes the upper half. */
    private static Operation pack(Operands operands, PtxType target) {
        operands.requireCount(3);
        LaneFunctions.Int2 function = target == PtxType.F16X2
                ? (a, b) -> HalfArithmetic.F16.round(FloatBits.value(a)) << 16
                        | HalfArithmetic.F16.round(FloatBits.value(b)) & SHORT
                : (a, b) -> HalfArithmetic.BF16.round(FloatBits.value(a)) << 16
                        | HalfArithmetic.BF16.round(FloatBits.value(b)) & SHORT;
        return LoopSpecializer.operation(
                Binary32.class,
                function,
                operands.target(0, target),
                operands.source(1, PtxType.F32),
                operands.source(2, PtxType.F32));
    }
}
