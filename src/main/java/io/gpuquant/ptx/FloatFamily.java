package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.Set;

/** Arithmetic of float32 and float64. */
final class FloatFamily implements Family {

    private static final Set<String> OPCODES = Set.of(
            "add",
            "sub",
            "mul",
            "fma",
            "mad",
            "div",
            "rcp",
            "sqrt",
            "rsqrt",
            "ex2",
            "lg2",
            "tanh",
            "sin",
            "cos",
            "abs",
            "neg",
            "min",
            "max",
            "copysign");

    private static final PtxType TYPE = PtxType.F32;

    private record Directed(String opcode, Rounding rounding) {}

    private final MachineOptions options;

    FloatFamily(MachineOptions options) {
        this.options = options;
    }

    @Override
    public boolean knows(Statement statement) {
        PtxType type = Family.typeOf(statement);
        return OPCODES.contains(statement.opcode()) && (type == PtxType.F32 || type == PtxType.F64);
    }

    @Override
    public Operation decode(Modifiers modifiers, Operands operands) {
        PtxType type = modifiers.takeType(PtxType.F32, PtxType.F64);
        return type == PtxType.F64
                ? new DoubleArithmetic(modifiers, operands).decode()
                : decodeSingle(modifiers, operands);
    }

    private Operation decodeSingle(Modifiers modifiers, Operands operands) {
        return switch (modifiers.opcode()) {
            case "add", "sub", "mul" -> {
                LaneFunctions.Int2 function = addOrMultiply(modifiers);
                yield Loops.binary32(
                        operands,
                        TYPE,
                        FloatModes.saturating(modifiers, options).wrap2(function));
            }
            case "fma", "mad" -> {
                LaneFunctions.Int3 function = fma(modifiers);
                yield Loops.ternary32(
                        operands,
                        TYPE,
                        FloatModes.saturating(modifiers, options).wrap3(function));
            }
            case "div" -> {
                LaneFunctions.Int2 function = divide(modifiers);
                yield Loops.binary32(
                        operands, TYPE, FloatModes.flushing(modifiers, options).wrap2(function));
            }
            case "min", "max" -> {
                LaneFunctions.Int2 function = extremum(modifiers);
                yield Loops.binary32(
                        operands, TYPE, FloatModes.flushing(modifiers, options).wrap2(function));
            }
            case "copysign" -> Loops.binary32(operands, TYPE, (a, b) -> b & 0x7fffffff | a & 0x80000000);
            default -> {
                LaneFunctions.Int1 function = unary(modifiers);
                yield Loops.unary32(
                        operands, TYPE, FloatModes.flushing(modifiers, options).wrap1(function));
            }
        };
    }

    private static LaneFunctions.Int2 addOrMultiply(Modifiers modifiers) {
        Rounding rounding =
                Rounding.named(modifiers.takeOneOf("rn", "rz", "rm", "rp").orElse("rn"));
        if (rounding != Rounding.NEAREST_EVEN) {
            String opcode = modifiers.opcode();
            return LaneFunctions.shared(new Directed(opcode, rounding), () -> directed(opcode, rounding));
        }
        return switch (modifiers.opcode()) {
            case "add" -> (a, b) -> FloatBits.of(FloatBits.value(a) + FloatBits.value(b));
            case "sub" -> (a, b) -> FloatBits.of(FloatBits.value(a) - FloatBits.value(b));
            default -> (a, b) -> FloatBits.of(FloatBits.value(a) * FloatBits.value(b));
        };
    }

    private static LaneFunctions.Int2 directed(String opcode, Rounding rounding) {
        return switch (opcode) {
            case "add" -> (a, b) -> FloatBits.of(ExactSum.fma(FloatBits.value(a), 1f, FloatBits.value(b), rounding));
            case "sub" -> (a, b) -> FloatBits.of(ExactSum.fma(FloatBits.value(b), -1f, FloatBits.value(a), rounding));
            default ->
                (a, b) -> {
                    // Adding a zero of the product's sign leaves the product's own zero alone.
                    float zero = Math.copySign(0f, FloatBits.value(a ^ b));
                    return FloatBits.of(ExactSum.fma(FloatBits.value(a), FloatBits.value(b), zero, rounding));
                };
        };
    }

    private static LaneFunctions.Int3 fma(Modifiers modifiers) {
        Rounding rounding = Rounding.named(modifiers.requireOneOf("rn", "rz", "rm", "rp"));
        if (rounding == Rounding.NEAREST_EVEN) {
            return (a, b, c) -> FloatBits.of(Math.fma(FloatBits.value(a), FloatBits.value(b), FloatBits.value(c)));
        }
        return LaneFunctions.shared(
                new Directed("fma", rounding),
                () -> (a, b, c) -> FloatBits.of(
                        ExactSum.fma(FloatBits.value(a), FloatBits.value(b), FloatBits.value(c), rounding)));
    }

    private LaneFunctions.Int2 divide(Modifiers modifiers) {
        return modifiers.requireOneOf("rn", "full", "approx").equals("rn")
                ? (a, b) -> FloatBits.of(FloatBits.value(a) / FloatBits.value(b))
                : Approximations.division(options);
    }

    private LaneFunctions.Int1 unary(Modifiers modifiers) {
        return switch (modifiers.opcode()) {
            case "abs" -> a -> FloatBits.of(Math.abs(FloatBits.value(a)));
            case "neg" -> a -> FloatBits.of(-FloatBits.value(a));
            case "rcp" -> modifiers.take("rn") ? a -> FloatBits.of(1 / FloatBits.value(a)) : approximation(modifiers);
            // A float64 root rounded to float32 is the correctly rounded float32 root.
            case "sqrt" ->
                modifiers.take("rn")
                        ? a -> FloatBits.of((float) Math.sqrt(FloatBits.value(a)))
                        : approximation(modifiers);
            default -> approximation(modifiers);
        };
    }

    private LaneFunctions.Int1 approximation(Modifiers modifiers) {
        modifiers.requireOneOf("approx");
        if (modifiers.opcode().equals("tanh") && modifiers.take("ftz")) {
            throw modifiers.error("has no form with .ftz");
        }
        return Approximations.of(modifiers.opcode(), options);
    }

    private static LaneFunctions.Int2 extremum(Modifiers modifiers) {
        boolean propagatesNan = modifiers.take("NaN");
        if (modifiers.opcode().equals("min")) {
            return propagatesNan
                    ? (a, b) -> FloatBits.of(Math.min(FloatBits.value(a), FloatBits.value(b)))
                    : (a, b) -> FloatBits.of(minimum(FloatBits.value(a), FloatBits.value(b)));
        }
        return propagatesNan
                ? (a, b) -> FloatBits.of(Math.max(FloatBits.value(a), FloatBits.value(b)))
                : (a, b) -> FloatBits.of(maximum(FloatBits.value(a), FloatBits.value(b)));
    }

    /** PTX returns the operand that is a number, where Java returns NaN. */
    static float minimum(float a, float b) {
        return Float.isNaN(a) ? b : Float.isNaN(b) ? a : Math.min(a, b);
    }

    static float maximum(float a, float b) {
        return Float.isNaN(a) ? b : Float.isNaN(b) ? a : Math.max(a, b);
    }
}
