package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.Set;

/** Integer arithmetic of 16, 32 and 64 bits. */
final class IntegerFamily implements Family {

    private static final Set<String> OPCODES =
            Set.of("add", "sub", "mul", "mad", "div", "rem", "abs", "neg", "min", "max");
    private static final int SHORT = 0xffff;
    private static final PtxType[] TYPES = {PtxType.U16, PtxType.S16, PtxType.U32, PtxType.S32, PtxType.U64, PtxType.S64
    };

    @Override
    public boolean knows(Statement statement) {
        PtxType type = Family.typeOf(statement);
        return OPCODES.contains(statement.opcode()) && type != null && type.isInteger();
    }

    @Override
    public Operation decode(Modifiers modifiers, Operands operands) {
        PtxType type = modifiers.takeType(TYPES);
        String opcode = modifiers.opcode();
        if (opcode.equals("mul") || opcode.equals("mad")) {
            return multiply(modifiers, operands, type);
        }
        if (!type.isSigned() && (opcode.equals("neg") || opcode.equals("abs"))) {
            throw modifiers.unsupported(type);
        }
        return switch (type.bits()) {
            case 16 -> decode16(modifiers, operands, type);
            case 32 -> decode32(modifiers, operands, type);
            case 64 -> decode64(modifiers, operands, type);
            default -> throw modifiers.unsupported(type);
        };
    }

    private static Operation decode16(Modifiers modifiers, Operands operands, PtxType type) {
        boolean signed = type.isSigned();
        return switch (modifiers.opcode()) {
            case "add" -> Loops.binary32(operands, type, (a, b) -> a + b & SHORT);
            case "sub" -> Loops.binary32(operands, type, (a, b) -> a - b & SHORT);
            case "min" ->
                Loops.binary32(
                        operands, type, signed ? (a, b) -> (short) a < (short) b ? a : b : (a, b) -> Math.min(a, b));
            case "max" ->
                Loops.binary32(
                        operands, type, signed ? (a, b) -> (short) a > (short) b ? a : b : (a, b) -> Math.max(a, b));
            case "neg" -> Loops.unary32(operands, type, a -> -a & SHORT);
            case "abs" -> Loops.unary32(operands, type, a -> Math.abs((short) a) & SHORT);
            case "div" ->
                Loops.binary32(
                        operands,
                        type,
                        signed
                                ? (a, b) -> (b == 0 ? -1 : (short) a / (short) b) & SHORT
                                : (a, b) -> b == 0 ? SHORT : a / b);
            case "rem" ->
                Loops.binary32(
                        operands,
                        type,
                        signed ? (a, b) -> (b == 0 ? a : (short) a % (short) b) & SHORT : (a, b) -> b == 0 ? a : a % b);
            default -> throw modifiers.unsupported(type);
        };
    }

    private static Operation decode32(Modifiers modifiers, Operands operands, PtxType type) {
        boolean signed = type.isSigned();
        return switch (modifiers.opcode()) {
            case "add" ->
                Loops.binary32(
                        operands,
                        type,
                        signed && modifiers.take("sat") ? (a, b) -> saturate((long) a + b) : (a, b) -> a + b);
            case "sub" ->
                Loops.binary32(
                        operands,
                        type,
                        signed && modifiers.take("sat") ? (a, b) -> saturate((long) a - b) : (a, b) -> a - b);
            case "min" ->
                Loops.binary32(
                        operands,
                        type,
                        signed ? (a, b) -> Math.min(a, b) : (a, b) -> Integer.compareUnsigned(a, b) < 0 ? a : b);
            case "max" ->
                Loops.binary32(
                        operands,
                        type,
                        signed ? (a, b) -> Math.max(a, b) : (a, b) -> Integer.compareUnsigned(a, b) > 0 ? a : b);
            case "neg" -> Loops.unary32(operands, type, a -> -a);
            case "abs" -> Loops.unary32(operands, type, a -> Math.abs(a));
            case "div" ->
                Loops.binary32(
                        operands,
                        type,
                        signed ? (a, b) -> b == 0 ? -1 : a / b : (a, b) -> b == 0 ? -1 : Integer.divideUnsigned(a, b));
            case "rem" ->
                Loops.binary32(
                        operands,
                        type,
                        signed ? (a, b) -> b == 0 ? a : a % b : (a, b) -> b == 0 ? a : Integer.remainderUnsigned(a, b));
            default -> throw modifiers.unsupported(type);
        };
    }

    private static Operation decode64(Modifiers modifiers, Operands operands, PtxType type) {
        boolean signed = type.isSigned();
        return switch (modifiers.opcode()) {
            case "add" -> Loops.binary64(operands, type, (a, b) -> a + b);
            case "sub" -> Loops.binary64(operands, type, (a, b) -> a - b);
            case "min" ->
                Loops.binary64(
                        operands,
                        type,
                        signed ? (a, b) -> Math.min(a, b) : (a, b) -> Long.compareUnsigned(a, b) < 0 ? a : b);
            case "max" ->
                Loops.binary64(
                        operands,
                        type,
                        signed ? (a, b) -> Math.max(a, b) : (a, b) -> Long.compareUnsigned(a, b) > 0 ? a : b);
            case "neg" -> Loops.unary64(operands, type, a -> -a);
            case "abs" -> Loops.unary64(operands, type, a -> Math.abs(a));
            case "div" ->
                Loops.binary64(
                        operands,
                        type,
                        signed ? (a, b) -> b == 0 ? -1 : a / b : (a, b) -> b == 0 ? -1 : Long.divideUnsigned(a, b));
            case "rem" ->
                Loops.binary64(
                        operands,
                        type,
                        signed ? (a, b) -> b == 0 ? a : a % b : (a, b) -> b == 0 ? a : Long.remainderUnsigned(a, b));
            default -> throw modifiers.unsupported(type);
        };
    }

    private static Operation multiply(Modifiers modifiers, Operands operands, PtxType type) {
        boolean add = modifiers.opcode().equals("mad");
        return switch (modifiers.requireOneOf("lo", "hi", "wide")) {
            case "lo" -> add ? madLow(modifiers, operands, type) : multiplyLow(modifiers, operands, type);
            case "hi" -> add ? madHigh(modifiers, operands, type) : multiplyHigh(modifiers, operands, type);
            default -> add ? madWide(modifiers, operands, type) : multiplyWide(modifiers, operands, type);
        };
    }

    private static Operation multiplyLow(Modifiers modifiers, Operands operands, PtxType type) {
        return switch (type.bits()) {
            case 16 -> Loops.binary32(operands, type, (a, b) -> a * b & SHORT);
            case 32 -> Loops.binary32(operands, type, (a, b) -> a * b);
            case 64 -> Loops.binary64(operands, type, (a, b) -> a * b);
            default -> throw modifiers.unsupported(type);
        };
    }

    private static Operation madLow(Modifiers modifiers, Operands operands, PtxType type) {
        return switch (type.bits()) {
            case 16 -> Loops.ternary32(operands, type, (a, b, c) -> a * b + c & SHORT);
            case 32 -> Loops.ternary32(operands, type, (a, b, c) -> a * b + c);
            case 64 -> Loops.ternary64(operands, type, (a, b, c) -> a * b + c);
            default -> throw modifiers.unsupported(type);
        };
    }

    private static Operation multiplyHigh(Modifiers modifiers, Operands operands, PtxType type) {
        return switch (type) {
            case S16 -> Loops.binary32(operands, type, (a, b) -> (short) a * (short) b >> 16 & SHORT);
            case U16 -> Loops.binary32(operands, type, (a, b) -> a * b >>> 16);
            case S32 -> Loops.binary32(operands, type, (a, b) -> (int) ((long) a * b >> 32));
            case U32 -> Loops.binary32(operands, type, IntegerFamily::highUnsigned);
            case S64 -> Loops.binary64(operands, type, (a, b) -> Math.multiplyHigh(a, b));
            case U64 -> Loops.binary64(operands, type, (a, b) -> Math.unsignedMultiplyHigh(a, b));
            default -> throw modifiers.unsupported(type);
        };
    }

    private static Operation madHigh(Modifiers modifiers, Operands operands, PtxType type) {
        return switch (type) {
            case S16 -> Loops.ternary32(operands, type, (a, b, c) -> ((short) a * (short) b >> 16) + c & SHORT);
            case U16 -> Loops.ternary32(operands, type, (a, b, c) -> (a * b >>> 16) + c & SHORT);
            case S32 -> Loops.ternary32(operands, type, (a, b, c) -> (int) ((long) a * b >> 32) + c);
            case U32 -> Loops.ternary32(operands, type, (a, b, c) -> highUnsigned(a, b) + c);
            case S64 -> Loops.ternary64(operands, type, (a, b, c) -> Math.multiplyHigh(a, b) + c);
            case U64 -> Loops.ternary64(operands, type, (a, b, c) -> Math.unsignedMultiplyHigh(a, b) + c);
            default -> throw modifiers.unsupported(type);
        };
    }

    private static Operation multiplyWide(Modifiers modifiers, Operands operands, PtxType type) {
        operands.requireCount(3);
        return switch (type) {
            case S16 -> wideOfShorts(operands, type, (a, b) -> (short) a * (short) b);
            case U16 -> wideOfShorts(operands, type, (a, b) -> a * b);
            case S32 -> Loops.widen(operands, PtxType.S64, type, (a, b) -> (long) a * b);
            case U32 -> Loops.widen(operands, PtxType.U64, type, (a, b) -> (a & 0xffff_ffffL) * (b & 0xffff_ffffL));
            default -> throw modifiers.unsupported(type);
        };
    }

    private static Operation wideOfShorts(Operands operands, PtxType type, LaneFunctions.Int2 function) {
        return LoopSpecializer.operation(
                Binary32.class,
                function,
                operands.target(0, type.isSigned() ? PtxType.S32 : PtxType.U32),
                operands.source(1, type),
                operands.source(2, type));
    }

    private static Operation madWide(Modifiers modifiers, Operands operands, PtxType type) {
        operands.requireCount(4);
        return switch (type) {
            case S16 -> madOfShorts(operands, type, (a, b, c) -> (short) a * (short) b + c);
            case U16 -> madOfShorts(operands, type, (a, b, c) -> a * b + c);
            case S32 -> madOfWords(operands, type, (a, b, c) -> (long) a * b + c);
            case U32 -> madOfWords(operands, type, (a, b, c) -> (a & 0xffff_ffffL) * (b & 0xffff_ffffL) + c);
            default -> throw modifiers.unsupported(type);
        };
    }

    private static Operation madOfShorts(Operands operands, PtxType type, LaneFunctions.Int3 function) {
        PtxType wide = type.isSigned() ? PtxType.S32 : PtxType.U32;
        return LoopSpecializer.operation(
                Ternary32.class,
                function,
                operands.target(0, wide),
                operands.source(1, type),
                operands.source(2, type),
                operands.source(3, wide));
    }

    private static Operation madOfWords(Operands operands, PtxType type, LaneFunctions.IntsAndLongToLong function) {
        PtxType wide = type.isSigned() ? PtxType.S64 : PtxType.U64;
        return LoopSpecializer.operation(
                WidenTernary.class,
                function,
                operands.target(0, wide),
                operands.source(1, type),
                operands.source(2, type),
                operands.source(3, wide));
    }

    private static int highUnsigned(int a, int b) {
        return (int) ((a & 0xffff_ffffL) * (b & 0xffff_ffffL) >>> 32);
    }

    private static int saturate(long value) {
        return (int) Math.clamp(value, Integer.MIN_VALUE, Integer.MAX_VALUE);
    }
}
