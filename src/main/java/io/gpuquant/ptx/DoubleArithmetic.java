package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;

/** Arithmetic of float64, rounded to nearest. */
final class DoubleArithmetic {

    private static final PtxType TYPE = PtxType.F64;

    private final Modifiers modifiers;
    private final Operands operands;

    DoubleArithmetic(Modifiers modifiers, Operands operands) {
        this.modifiers = modifiers;
        this.operands = operands;
    }

    Operation decode() {
        return switch (modifiers.opcode()) {
            case "add", "sub", "mul" -> {
                modifiers.take("rn");
                yield Loops.binary64(operands, TYPE, addOrMultiply());
            }
            case "div" -> {
                modifiers.requireOneOf("rn");
                yield Loops.binary64(operands, TYPE, (a, b) -> FloatBits.of(FloatBits.value(a) / FloatBits.value(b)));
            }
            case "fma", "mad" -> {
                modifiers.requireOneOf("rn");
                yield Loops.ternary64(
                        operands,
                        TYPE,
                        (a, b, c) ->
                                FloatBits.of(Math.fma(FloatBits.value(a), FloatBits.value(b), FloatBits.value(c))));
            }
            case "rcp" -> {
                modifiers.requireOneOf("rn");
                yield Loops.unary64(operands, TYPE, a -> FloatBits.of(1 / FloatBits.value(a)));
            }
            case "sqrt" -> {
                modifiers.requireOneOf("rn");
                yield Loops.unary64(operands, TYPE, a -> FloatBits.of(Math.sqrt(FloatBits.value(a))));
            }
            case "abs" -> Loops.unary64(operands, TYPE, a -> a & Long.MAX_VALUE);
            case "neg" -> Loops.unary64(operands, TYPE, a -> a ^ Long.MIN_VALUE);
            case "copysign" -> Loops.binary64(operands, TYPE, (a, b) -> b & Long.MAX_VALUE | a & Long.MIN_VALUE);
            case "min" ->
                Loops.binary64(operands, TYPE, (a, b) -> FloatBits.of(minimum(FloatBits.value(a), FloatBits.value(b))));
            case "max" ->
                Loops.binary64(operands, TYPE, (a, b) -> FloatBits.of(maximum(FloatBits.value(a), FloatBits.value(b))));
            default -> throw modifiers.unsupported(TYPE);
        };
    }

    private LaneFunctions.Long2 addOrMultiply() {
        return switch (modifiers.opcode()) {
            case "add" -> (a, b) -> FloatBits.of(FloatBits.value(a) + FloatBits.value(b));
            case "sub" -> (a, b) -> FloatBits.of(FloatBits.value(a) - FloatBits.value(b));
            default -> (a, b) -> FloatBits.of(FloatBits.value(a) * FloatBits.value(b));
        };
    }

    private static double minimum(double a, double b) {
        return Double.isNaN(a) ? b : Double.isNaN(b) ? a : Math.min(a, b);
    }

    private static double maximum(double a, double b) {
        return Double.isNaN(a) ? b : Double.isNaN(b) ? a : Math.max(a, b);
    }
}
