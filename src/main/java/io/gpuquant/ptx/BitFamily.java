package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.Set;

/** Logic, shifts and bit fields. */
final class BitFamily implements Family {

    private static final Set<String> OPCODES = Set.of(
            "and", "or", "xor", "not", "cnot", "shl", "shr", "shf", "lop3", "prmt", "bfe", "bfi", "popc", "clz",
            "brev");
    private static final int SHORT = 0xffff;
    private static final int SHORT_BITS = 16;

    @Override
    public boolean knows(Statement statement) {
        return OPCODES.contains(statement.opcode());
    }

    @Override
    public Operation decode(Modifiers modifiers, Operands operands) {
        return switch (modifiers.opcode()) {
            case "and", "or", "xor", "not", "cnot" -> logic(modifiers, operands);
            case "shl" -> shiftLeft(modifiers, operands);
            case "shr" -> shiftRight(modifiers, operands);
            case "shf" -> funnel(modifiers, operands);
            case "lop3" -> lop3(modifiers, operands);
            case "prmt" -> permute(modifiers, operands);
            case "bfe" -> extract(modifiers, operands);
            case "bfi" -> insert(modifiers, operands);
            default -> count(modifiers, operands);
        };
    }

    private static Operation logic(Modifiers modifiers, Operands operands) {
        PtxType type = modifiers.takeType(PtxType.PRED, PtxType.B16, PtxType.B32, PtxType.B64);
        String opcode = modifiers.opcode();
        if (type == PtxType.PRED) {
            return predicateLogic(opcode, operands);
        }
        if (type.isWide()) {
            return switch (opcode) {
                case "and" -> Loops.binary64(operands, type, (a, b) -> a & b);
                case "or" -> Loops.binary64(operands, type, (a, b) -> a | b);
                case "xor" -> Loops.binary64(operands, type, (a, b) -> a ^ b);
                case "not" -> Loops.unary64(operands, type, a -> ~a);
                default -> Loops.unary64(operands, type, a -> a == 0 ? 1 : 0);
            };
        }
        return switch (opcode) {
            case "and" -> Loops.binary32(operands, type, (a, b) -> a & b);
            case "or" -> Loops.binary32(operands, type, (a, b) -> a | b);
            case "xor" -> Loops.binary32(operands, type, (a, b) -> a ^ b);
            case "not" -> Loops.unary32(operands, type, type == PtxType.B16 ? a -> ~a & SHORT : a -> ~a);
            default -> Loops.unary32(operands, type, a -> a == 0 ? 1 : 0);
        };
    }

    private static Operation predicateLogic(String opcode, Operands operands) {
        PredicateOperation.Kind kind = switch (opcode) {
            case "and" -> PredicateOperation.Kind.AND;
            case "or" -> PredicateOperation.Kind.OR;
            case "xor" -> PredicateOperation.Kind.XOR;
            case "not" -> PredicateOperation.Kind.NOT;
            default -> throw operands.error("is not supported for predicates");
        };
        boolean unary = kind == PredicateOperation.Kind.NOT;
        operands.requireCount(unary ? 2 : 3);
        int target = operands.predicateTarget(0);
        int first = operands.predicate(1);
        int second = unary ? first : operands.predicate(2);
        if (operands.isNegated(1) || !unary && operands.isNegated(2)) {
            throw operands.error("takes predicates that are not negated");
        }
        return new PredicateOperation(kind, target, first, second);
    }

    // PTX clamps shift amounts to the width, where Java takes them modulo the width.

    private static Operation shiftLeft(Modifiers modifiers, Operands operands) {
        PtxType type = modifiers.takeType(PtxType.B16, PtxType.B32, PtxType.B64);
        return switch (type.bits()) {
            case SHORT_BITS ->
                Loops.shift32(
                        operands, type, (a, b) -> Integer.compareUnsigned(b, SHORT_BITS) >= 0 ? 0 : a << b & SHORT);
            case Integer.SIZE -> Loops.shift32(operands, type, (a, b) -> (b & ~31) != 0 ? 0 : a << b);
            default -> Loops.shift64(operands, type, (a, b) -> (b & ~63) != 0 ? 0 : a << b);
        };
    }

    private static Operation shiftRight(Modifiers modifiers, Operands operands) {
        PtxType type = modifiers.takeType(
                PtxType.B16,
                PtxType.B32,
                PtxType.B64,
                PtxType.U16,
                PtxType.U32,
                PtxType.U64,
                PtxType.S16,
                PtxType.S32,
                PtxType.S64);
        return switch (type) {
            case S16 -> Loops.shift32(operands, type, (a, b) -> (short) a >> clamp(b, SHORT_BITS - 1) & SHORT);
            case S32 -> Loops.shift32(operands, type, (a, b) -> a >> ((b & ~31) != 0 ? 31 : b));
            case S64 -> Loops.shift64(operands, type, (a, b) -> a >> ((b & ~63) != 0 ? 63 : b));
            case U64, B64 -> Loops.shift64(operands, type, (a, b) -> (b & ~63) != 0 ? 0 : a >>> b);
            // Narrow values are zero-extended, so that the bits shifted in are zeros up to the 32nd place.
            default -> Loops.shift32(operands, type, (a, b) -> (b & ~31) != 0 ? 0 : a >>> b);
        };
    }

    private static Operation funnel(Modifiers modifiers, Operands operands) {
        String direction = modifiers.requireOneOf("l", "r");
        boolean wrap = modifiers.requireOneOf("wrap", "clamp").equals("wrap");
        PtxType type = modifiers.takeType(PtxType.B32);
        // Operands are the low half, the high half and the amount.
        if (direction.equals("l")) {
            return Loops.ternary32(
                    operands,
                    type,
                    wrap ? (a, b, c) -> funnelLeft(a, b, c & 31) : (a, b, c) -> funnelLeft(a, b, clamp(c, 32)));
        }
        return Loops.ternary32(
                operands,
                type,
                wrap ? (a, b, c) -> funnelRight(a, b, c & 31) : (a, b, c) -> funnelRight(a, b, clamp(c, 32)));
    }

    private static int funnelLeft(int low, int high, int amount) {
        return (int) (join(low, high) << amount >>> 32);
    }

    private static int funnelRight(int low, int high, int amount) {
        return (int) (join(low, high) >>> amount);
    }

    private static long join(int low, int high) {
        return (long) high << 32 | low & 0xffff_ffffL;
    }

    private static int clamp(int amount, int most) {
        return Integer.compareUnsigned(amount, most) > 0 ? most : amount;
    }

    private static Operation lop3(Modifiers modifiers, Operands operands) {
        PtxType type = modifiers.takeType(PtxType.B32);
        operands.requireCount(5);
        int table = operands.literal(4);
        if (table < 0 || table >= Lop3.TABLES) {
            throw operands.error("needs a table from 0 to 255");
        }
        return LoopSpecializer.operation(
                Ternary32.class,
                Lop3.of(table),
                operands.target(0, type),
                operands.source(1, type),
                operands.source(2, type),
                operands.source(3, type));
    }

    private static Operation permute(Modifiers modifiers, Operands operands) {
        PtxType type = modifiers.takeType(PtxType.B32);
        return Loops.ternary32(operands, type, BitFamily::permuteBytes);
    }

    private static int permuteBytes(int a, int b, int selector) {
        long bytes = join(a, b);
        int result = 0;
        for (int i = 0; i < 4; i++) {
            int select = selector >>> 4 * i;
            int value = (int) (bytes >>> 8 * (select & 7)) & 0xff;
            if ((select & 8) != 0) {
                value = (value & 0x80) != 0 ? 0xff : 0;
            }
            result |= value << 8 * i;
        }
        return result;
    }

    private static Operation extract(Modifiers modifiers, Operands operands) {
        PtxType type = modifiers.takeType(PtxType.U32, PtxType.S32);
        return Loops.ternary32(
                operands,
                type,
                type.isSigned() ? (a, b, c) -> extract(a, b, c, true) : (a, b, c) -> extract(a, b, c, false));
    }

    private static int extract(int value, int position, int length, boolean signed) {
        int from = position & 0xff;
        int count = length & 0xff;
        if (count == 0) {
            return 0;
        }
        int sign = signed ? value >> Math.min(from + count - 1, 31) & 1 : 0;
        int field = from > 31 ? 0 : value >>> from;
        int available = Math.max(0, 32 - from);
        int kept = Math.min(count, available);
        int mask = kept == 32 ? -1 : (1 << kept) - 1;
        return field & mask | (sign != 0 ? ~mask : 0);
    }

    private static Operation insert(Modifiers modifiers, Operands operands) {
        PtxType type = modifiers.takeType(PtxType.B32);
        operands.requireCount(5);
        return new BitFieldInsert(
                operands.target(0, type),
                operands.source(1, type),
                operands.source(2, type),
                operands.source(3, PtxType.U32),
                operands.source(4, PtxType.U32));
    }

    private static Operation count(Modifiers modifiers, Operands operands) {
        PtxType type = modifiers.takeType(PtxType.B32, PtxType.B64);
        if (type.isWide()) {
            return switch (modifiers.opcode()) {
                case "popc" -> Loops.narrow(operands, PtxType.U32, type, a -> Long.bitCount(a));
                case "clz" -> Loops.narrow(operands, PtxType.U32, type, a -> Long.numberOfLeadingZeros(a));
                default -> Loops.unary64(operands, type, a -> Long.reverse(a));
            };
        }
        return switch (modifiers.opcode()) {
            case "popc" -> Loops.unary32(operands, type, a -> Integer.bitCount(a));
            case "clz" -> Loops.unary32(operands, type, a -> Integer.numberOfLeadingZeros(a));
            default -> Loops.unary32(operands, type, a -> Integer.reverse(a));
        };
    }
}
