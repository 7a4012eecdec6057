package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import java.util.function.LongBinaryOperator;

/** What atomic operations compute from the old value and the operand; 32-bit values are the low halves. */
final class AtomicFunctions {

    private AtomicFunctions() {}

    static LongBinaryOperator of(Modifiers modifiers, String operation, PtxType type) {
        return switch (operation) {
            case "exch" -> (old, value) -> value;
            case "and" -> (old, value) -> old & value;
            case "or" -> (old, value) -> old | value;
            case "xor" -> (old, value) -> old ^ value;
            case "inc" -> (old, value) -> Integer.compareUnsigned((int) old, (int) value) >= 0 ? 0 : old + 1;
            case "dec" ->
                (old, value) -> (int) old == 0 || Integer.compareUnsigned((int) old, (int) value) > 0 ? value : old - 1;
            case "add" -> add(modifiers, type);
            default -> extremum(modifiers, type, operation.equals("min"));
        };
    }

    private static LongBinaryOperator add(Modifiers modifiers, PtxType type) {
        return switch (type) {
            case U32, S32, U64, S64 -> (old, value) -> old + value;
            case F32 ->
                (old, value) ->
                        FloatBits.canonical(FloatBits.of(FloatBits.value((int) old) + FloatBits.value((int) value)))
                                & 0xffff_ffffL;
            case F64 -> (old, value) -> FloatBits.of(FloatBits.value(old) + FloatBits.value(value));
            case F16X2 ->
                (old, value) -> pair(
                        HalfArithmetic.F16.add((int) old & 0xffff, (int) value & 0xffff),
                        HalfArithmetic.F16.add((int) old >>> 16, (int) value >>> 16));
            default -> throw modifiers.unsupported(type);
        };
    }

    private static long pair(int low, int high) {
        return (high << 16 | low) & 0xffff_ffffL;
    }

    private static LongBinaryOperator extremum(Modifiers modifiers, PtxType type, boolean least) {
        return switch (type) {
            case S32 ->
                least
                        ? (old, value) -> Math.min((int) old, (int) value)
                        : (old, value) -> Math.max((int) old, (int) value);
            case U32, U64 ->
                least
                        ? (old, value) -> Long.compareUnsigned(old, value) < 0 ? old : value
                        : (old, value) -> Long.compareUnsigned(old, value) > 0 ? old : value;
            case S64 -> least ? Math::min : Math::max;
            default -> throw modifiers.unsupported(type);
        };
    }
}
