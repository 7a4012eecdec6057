package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import java.util.function.LongBinaryOperator;

/** What atomic operations compute from the old value and the operand; 32-bit values are the low halves. */
final class AtomicFunctions {

    private static final int SHORT = 0xffff;

    private AtomicFunctions() {}

    /** The types that an operation has. */
    static PtxType[] types(String operation) {
        return switch (operation) {
            case "add" ->
                new PtxType[] {PtxType.U32, PtxType.S32, PtxType.U64, PtxType.F32, PtxType.F64, PtxType.F16X2};
            case "min", "max" -> new PtxType[] {PtxType.U32, PtxType.S32, PtxType.U64, PtxType.S64};
            case "inc", "dec" -> new PtxType[] {PtxType.U32};
            default -> new PtxType[] {PtxType.B32, PtxType.B64};
        };
    }

    static LongBinaryOperator of(String operation, PtxType type) {
        return switch (operation) {
            case "exch" -> (old, value) -> value;
            case "and" -> (old, value) -> old & value;
            case "or" -> (old, value) -> old | value;
            case "xor" -> (old, value) -> old ^ value;
            case "inc" -> (old, value) -> Integer.compareUnsigned((int) old, (int) value) >= 0 ? 0 : old + 1;
            case "dec" ->
                (old, value) -> (int) old == 0 || Integer.compareUnsigned((int) old, (int) value) > 0 ? value : old - 1;
            case "add" -> add(type);
            default -> extremum(type, operation.equals("min"));
        };
    }

    private static LongBinaryOperator add(PtxType type) {
        return switch (type) {
            case F32 ->
                (old, value) ->
                        FloatBits.canonical(FloatBits.of(FloatBits.value((int) old) + FloatBits.value((int) value)))
                                & 0xffff_ffffL;
            case F64 -> (old, value) -> FloatBits.of(FloatBits.value(old) + FloatBits.value(value));
            case F16X2 -> (old, value) -> addHalves((int) old, (int) value) & 0xffff_ffffL;
            default -> Long::sum;
        };
    }

    private static int addHalves(int a, int b) {
        return HalfArithmetic.F16.add(a >>> 16, b >>> 16) << 16 | HalfArithmetic.F16.add(a & SHORT, b & SHORT);
    }

    private static LongBinaryOperator extremum(PtxType type, boolean least) {
        return switch (type) {
            case S32 ->
                least
                        ? (old, value) -> Math.min((int) old, (int) value)
                        : (old, value) -> Math.max((int) old, (int) value);
            case S64 -> least ? Math::min : Math::max;
            default ->
                least
                        ? (old, value) -> Long.compareUnsigned(old, value) < 0 ? old : value
                        : (old, value) -> Long.compareUnsigned(old, value) > 0 ? old : value;
        };
    }
}
