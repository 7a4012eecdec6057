package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.Optional;
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
        PtxType type = modifiers.takeType();
        return type == PtxType.F64
                ? new DoubleArithmetic(modifiers, operands).decode()
                : decodeSingle(modifiers, operands, type);
    }

    private Operation decodeSingle(Modifiers modifiers, Operands operands, PtxType type) {
        FloatModes modes = new FloatModes(modifiers, options.isChecked());
        return switch (modifiers.opcode()) {
            case "add", "sub", "mul" -> addOrMultiply(modifiers, operands, modes);
            case "fma", "mad" -> fma(modifiers, operands, modes);
            case "div" -> divide(modifiers, operands, modes);
            case "rcp", "sqrt" -> root(modifiers, operands, modes);
            case "min", "max" -> extremum(modifiers, operands, modes);
            case "abs" -> Loops.unary32(operands, type, modes.wrap1(a -> FloatBits.of(Math.abs(FloatBits.value(a)))));
            case "neg" -> Loops.unary32(operands, type, modes.wrap1(a -> a ^ 0x80000000));
            case "copysign" -> Loops.binary32(operands, type, (a, b) -> b & 0x7fffffff | a & 0x80000000);
            default -> {
                if (!modifiers.take("approx")) {
                    throw modifiers.error("is supported with .approx only");
                }
                LaneFunctions.Int1 function = Approximations.of(modifiers.opcode(), options);
                yield Loops.unary32(operands, type, modes.wrap1(function));
            }
        };
    }

    private static Operation addOrMultiply(Modifiers modifiers, Operands operands, FloatModes modes) {
        Optional<DirectedRounding.Mode> directed = directed(modifiers);
        if (directed.isPresent()) {
            return Loops.binary32(
                    operands, PtxType.F32, modes.wrap2(directedBinary(modifiers.opcode(), directed.get())));
        }
        LaneFunctions.Int2 function = switch (modifiers.opcode()) {
            case "add" -> (a, b) -> FloatBits.of(FloatBits.value(a) + FloatBits.value(b));
            case "sub" -> (a, b) -> FloatBits.of(FloatBits.value(a) - FloatBits.value(b));
            default -> (a, b) -> FloatBits.of(FloatBits.value(a) * FloatBits.value(b));
        };
        return Loops.binary32(operands, PtxType.F32, modes.wrap2(function));
    }

    private static LaneFunctions.Int2 directedBinary(String opcode, DirectedRounding.Mode mode) {
        return switch (opcode) {
            case "add" ->
                (a, b) -> FloatBits.of(DirectedRounding.fma(FloatBits.value(a), 1f, FloatBits.value(b), mode));
            case "sub" ->
                (a, b) -> FloatBits.of(DirectedRounding.fma(FloatBits.value(b), -1f, FloatBits.value(a), mode));
            default ->
                (a, b) -> {
                    // Adding a zero of the product's sign leaves the product's own zero alone.
                    float zero = Math.copySign(
                            0f, Math.copySign(1f, FloatBits.value(a)) * Math.copySign(1f, FloatBits.value(b)));
                    return FloatBits.of(DirectedRounding.fma(FloatBits.value(a), FloatBits.value(b), zero, mode));
                };
        };
    }

    private static Operation fma(Modifiers modifiers, Operands operands, FloatModes modes) {
        Optional<DirectedRounding.Mode> directed = directed(modifiers);
        LaneFunctions.Int3 function =
                (a, b, c) -> FloatBits.of(Math.fma(FloatBits.value(a), FloatBits.value(b), FloatBits.value(c)));
        if (directed.isPresent()) {
            DirectedRounding.Mode mode = directed.get();
            function = (a, b, c) -> FloatBits.of(
                    DirectedRounding.fma(FloatBits.value(a), FloatBits.value(b), FloatBits.value(c), mode));
        }
        return Loops.ternary32(operands, PtxType.F32, modes.wrap3(function));
    }

    /** The rounding that is not to nearest, if there is one; {@code .rn} is taken too. */
    private static Optional<DirectedRounding.Mode> directed(Modifiers modifiers) {
        return modifiers.takeOneOf("rn", "rz", "rm", "rp").flatMap(name -> switch (name) {
            case "rz" -> Optional.of(DirectedRounding.Mode.TOWARD_ZERO);
            case "rm" -> Optional.of(DirectedRounding.Mode.DOWN);
            case "rp" -> Optional.of(DirectedRounding.Mode.UP);
            default -> Optional.empty();
        });
    }

    private Operation divide(Modifiers modifiers, Operands operands, FloatModes modes) {
        boolean exact = modifiers.requireOneOf("rn", "full", "approx").equals("rn");
        LaneFunctions.Int2 function = exact
                ? (a, b) -> FloatBits.of(FloatBits.value(a) / FloatBits.value(b))
                : Approximations.division(options);
        return Loops.binary32(operands, PtxType.F32, modes.wrap2(function));
    }

    private Operation root(Modifiers modifiers, Operands operands, FloatModes modes) {
        boolean exact = modifiers.requireOneOf("rn", "approx").equals("rn");
        LaneFunctions.Int1 function;
        if (!exact) {
            function = Approximations.of(modifiers.opcode(), options);
        } else if (modifiers.opcode().equals("rcp")) {
            function = a -> FloatBits.of(1 / FloatBits.value(a));
        } else {
            // A float64 root rounded to float32 is the correctly rounded float32 root.
            function = a -> FloatBits.of((float) Math.sqrt(FloatBits.value(a)));
        }
        return Loops.unary32(operands, PtxType.F32, modes.wrap1(function));
    }

    private static Operation extremum(Modifiers modifiers, Operands operands, FloatModes modes) {
        boolean propagatesNan = modifiers.take("NaN");
        LaneFunctions.Int2 function;
        if (modifiers.opcode().equals("min")) {
            function = propagatesNan
                    ? (a, b) -> FloatBits.of(Math.min(FloatBits.value(a), FloatBits.value(b)))
                    : (a, b) -> FloatBits.of(minimum(FloatBits.value(a), FloatBits.value(b)));
        } else {
            function = propagatesNan
                    ? (a, b) -> FloatBits.of(Math.max(FloatBits.value(a), FloatBits.value(b)))
                    : (a, b) -> FloatBits.of(maximum(FloatBits.value(a), FloatBits.value(b)));
        }
        return Loops.binary32(operands, PtxType.F32, modes.wrap2(function));
    }

    /** PTX returns the operand that is a number, where Java returns NaN. */
    static float minimum(float a, float b) {
        return Float.isNaN(a) ? b : Float.isNaN(b) ? a : Math.min(a, b);
    }

    static float maximum(float a, float b) {
        return Float.isNaN(a) ? b : Float.isNaN(b) ? a : Math.max(a, b);
    }
}
