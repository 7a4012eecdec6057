package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;

/** Operations of the common shapes: a target and one to three sources. */
final class Loops {

    private Loops() {}

    static Operation unary32(Operands operands, PtxType type, LaneFunctions.Int1 function) {
        operands.requireCount(2);
        return LoopSpecializer.operation(Unary32.class, function, operands.target(0, type), operands.source(1, type));
    }

    static Operation binary32(Operands operands, PtxType type, LaneFunctions.Int2 function) {
        operands.requireCount(3);
        return LoopSpecializer.operation(
                Binary32.class, function, operands.target(0, type), operands.source(1, type), operands.source(2, type));
    }

    static Operation ternary32(Operands operands, PtxType type, LaneFunctions.Int3 function) {
        operands.requireCount(4);
        return LoopSpecializer.operation(
                Ternary32.class,
                function,
                operands.target(0, type),
                operands.source(1, type),
                operands.source(2, type),
                operands.source(3, type));
    }

    static Operation unary64(Operands operands, PtxType type, LaneFunctions.Long1 function) {
        operands.requireCount(2);
        return LoopSpecializer.operation(Unary64.class, function, operands.target(0, type), operands.source(1, type));
    }

    static Operation binary64(Operands operands, PtxType type, LaneFunctions.Long2 function) {
        operands.requireCount(3);
        return LoopSpecializer.operation(
                Binary64.class, function, operands.target(0, type), operands.source(1, type), operands.source(2, type));
    }

    static Operation ternary64(Operands operands, PtxType type, LaneFunctions.Long3 function) {
        operands.requireCount(4);
        return LoopSpecializer.operation(
                Ternary64.class,
                function,
                operands.target(0, type),
                operands.source(1, type),
                operands.source(2, type),
                operands.source(3, type));
    }

    /** A 32-bit result from a 64-bit source. */
    static Operation narrow(Operands operands, PtxType target, PtxType source, LaneFunctions.LongToInt function) {
        operands.requireCount(2);
        return LoopSpecializer.operation(
                Narrow.class, function, operands.target(0, target), operands.source(1, source));
    }

    /** A 64-bit result from two 32-bit sources. */
    static Operation widen(Operands operands, PtxType target, PtxType source, LaneFunctions.IntsToLong function) {
        operands.requireCount(3);
        return LoopSpecializer.operation(
                WidenBinary.class,
                function,
                operands.target(0, target),
                operands.source(1, source),
                operands.source(2, source));
    }

    /** A result of at most 32 bits from a source of the same width and a 32-bit amount. */
    static Operation shift32(Operands operands, PtxType type, LaneFunctions.Int2 function) {
        operands.requireCount(3);
        return LoopSpecializer.operation(
                Binary32.class,
                function,
                operands.target(0, type),
                operands.source(1, type),
                operands.source(2, PtxType.B32));
    }

    /** A 64-bit result from a 64-bit source and a 32-bit amount. */
    static Operation shift64(Operands operands, PtxType type, LaneFunctions.LongAndIntToLong function) {
        operands.requireCount(3);
        return LoopSpecializer.operation(
                Shift64.class,
                function,
                operands.target(0, type),
                operands.source(1, type),
                operands.source(2, PtxType.B32));
    }
}
