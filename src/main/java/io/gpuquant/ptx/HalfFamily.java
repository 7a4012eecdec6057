package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.Set;

/** Arithmetic of f16 and bf16, single or packed in pairs, as far as sm_80 has it. */
final class HalfFamily implements Family {

    private static final Set<String> OPCODES = Set.of("add", "sub", "mul", "fma", "min", "max", "abs", "neg");
    private static final Set<String> F16_ONLY = Set.of("add", "sub", "mul");
    private static final int SHORT = 0xffff;

    /** What a modifier makes of the result. */
    private enum Variant {
        PLAIN,
        /** {@code .sat}. */
        SATURATED,
        /** {@code .relu}. */
        RECTIFIED,
        /** {@code .NaN}. */
        OR_NAN
    }

    /** What identifies a function, so that the loops made for one are shared. */
    private record Form(String opcode, HalfArithmetic format, boolean packed, Variant variant) {}

    @Override
    public boolean knows(Statement statement) {
        PtxType type = Family.typeOf(statement);
        return OPCODES.contains(statement.opcode())
                && type != null
                && switch (type) {
                    case F16, BF16, F16X2, BF16X2 -> true;
                    default -> false;
                };
    }

    @Override
    public Operation decode(Modifiers modifiers, Operands operands) {
        PtxType type = modifiers.takeType(PtxType.F16, PtxType.BF16, PtxType.F16X2, PtxType.BF16X2);
        boolean packed = type == PtxType.F16X2 || type == PtxType.BF16X2;
        HalfArithmetic format = type == PtxType.F16 || type == PtxType.F16X2 ? HalfArithmetic.F16 : HalfArithmetic.BF16;
        String opcode = modifiers.opcode();
        if (format == HalfArithmetic.BF16 && F16_ONLY.contains(opcode)) {
            throw modifiers.error("needs sm_90; on sm_80 a fma does the same");
        }
        Form form = new Form(opcode, format, packed, variant(modifiers, format));
        return switch (opcode) {
            case "fma" -> Loops.ternary32(operands, type, fma(form));
            case "abs", "neg" -> Loops.unary32(operands, type, unary(form));
            default -> Loops.binary32(operands, type, binary(form));
        };
    }

    /** Takes the modifiers; {@code .rn} goes without saying, except that an fma must have it. */
    private static Variant variant(Modifiers modifiers, HalfArithmetic format) {
        String opcode = modifiers.opcode();
        if (opcode.equals("fma")) {
            modifiers.requireOneOf("rn");
            if (modifiers.take("relu")) {
                return Variant.RECTIFIED;
            }
        }
        if (F16_ONLY.contains(opcode)) {
            modifiers.take("rn");
        }
        boolean saturates = opcode.equals("fma") && format == HalfArithmetic.F16 || F16_ONLY.contains(opcode);
        if (saturates && modifiers.take("sat")) {
            return Variant.SATURATED;
        }
        boolean extremum = opcode.equals("min") || opcode.equals("max");
        return extremum && modifiers.take("NaN") ? Variant.OR_NAN : Variant.PLAIN;
    }

    private static LaneFunctions.Int3 fma(Form form) {
        return LaneFunctions.shared(form, () -> {
            HalfArithmetic format = form.format;
            Variant variant = form.variant;
            LaneFunctions.Int3 f = (a, b, c) -> finish(format, variant, format.fma(a, b, c));
            return form.packed
                    ? (LaneFunctions.Int3) (a, b, c) ->
                            join(f.apply(a & SHORT, b & SHORT, c & SHORT), f.apply(a >>> 16, b >>> 16, c >>> 16))
                    : f;
        });
    }

    private static LaneFunctions.Int2 binary(Form form) {
        return LaneFunctions.shared(form, () -> {
            LaneFunctions.Int2 f = single(form);
            return form.packed
                    ? (LaneFunctions.Int2) (a, b) -> join(f.apply(a & SHORT, b & SHORT), f.apply(a >>> 16, b >>> 16))
                    : f;
        });
    }

    private static LaneFunctions.Int2 single(Form form) {
        HalfArithmetic format = form.format;
        Variant variant = form.variant;
        return switch (form.opcode) {
            case "add" -> (a, b) -> finish(format, variant, format.add(a, b));
            case "sub" -> (a, b) -> finish(format, variant, format.subtract(a, b));
            case "mul" -> (a, b) -> finish(format, variant, format.multiply(a, b));
            case "min" -> variant == Variant.PLAIN ? format::minimum : format::minimumOrNan;
            default -> variant == Variant.PLAIN ? format::maximum : format::maximumOrNan;
        };
    }

    private static LaneFunctions.Int1 unary(Form form) {
        return LaneFunctions.shared(form, () -> {
            HalfArithmetic format = form.format;
            LaneFunctions.Int1 f = form.opcode.equals("abs") ? format::absolute : format::negate;
            return form.packed ? (LaneFunctions.Int1) a -> join(f.apply(a & SHORT), f.apply(a >>> 16)) : f;
        });
    }

    private static int finish(HalfArithmetic format, Variant variant, int result) {
        if (variant == Variant.SATURATED) {
            return format.saturate(result);
        }
        return variant == Variant.RECTIFIED ? format.rectify(result) : result;
    }

    private static int join(int low, int high) {
        return high << 16 | low & SHORT;
    }
}
