package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;

/** Operations of the common shapes: a target and one to three sources of the same width. */
final class Loops {

    private Loops() {}

    static Operation unary32(Operands operands, PtxType type, LaneFunctions.Int1 function) {
        operands.requireCount(2);
        return LoopSpecializer.operation(Unary32.class, function, operands.wordTarget(0), operands.word(1, type));
    }

    static Operation binary32(Operands operands, PtxType type, LaneFunctions.Int2 function) {
        operands.requireCount(3);
        return LoopSpecializer.operation(
                Binary32.class, function, operands.wordTarget(0), operands.word(1, type), operands.word(2, type));
    }

    static Operation ternary32(Operands operands, PtxType type, LaneFunctions.Int3 function) {
        operands.requireCount(4);
        return LoopSpecializer.operation(
                Ternary32.class,
                function,
                operands.wordTarget(0),
                operands.word(1, type),
                operands.word(2, type),
                operands.word(3, type));
    }

    static Operation unary64(Operands operands, PtxType type, LaneFunctions.Long1 function) {
        operands.requireCount(2);
        return LoopSpecializer.operation(Unary64.class, function, operands.wideTarget(0), operands.wide(1, type));
    }

    static Operation binary64(Operands operands, PtxType type, LaneFunctions.Long2 function) {
        operands.requireCount(3);
        return LoopSpecializer.operation(
                Binary64.class, function, operands.wideTarget(0), operands.wide(1, type), operands.wide(2, type));
    }

    static Operation ternary64(Operands operands, PtxType type, LaneFunctions.Long3 function) {
        operands.requireCount(4);
        return LoopSpecializer.operation(
                Ternary64.class,
                function,
                operands.wideTarget(0),
                operands.wide(1, type),
                operands.wide(2, type),
                operands.wide(3, type));
    }

    /** A 32-bit result from a 64-bit source. */
    static Operation narrow(Operands operands, PtxType sourceType, LaneFunctions.LongToInt function) {
        operands.requireCount(2);
        return LoopSpecializer.operation(Narrow.class, function, operands.wordTarget(0), operands.wide(1, sourceType));
    }

    /** A 64-bit result from a 32-bit source. */
    static Operation widen(Operands operands, PtxType sourceType, LaneFunctions.IntToLong function) {
        operands.requireCount(2);
        return LoopSpecializer.operation(Widen.class, function, operands.wideTarget(0), operands.word(1, sourceType));
    }

    /** A 64-bit result from a 64-bit source and a 32-bit one. */
    static Operation shift64(Operands operands, PtxType type, LaneFunctions.LongAndIntToLong function) {
        operands.requireCount(3);
        return LoopSpecializer.operation(
                Shift64.class, function, operands.wideTarget(0), operands.wide(1, type), operands.word(2, PtxType.U32));
    }
}
