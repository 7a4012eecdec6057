package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Operand;
import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.Set;

/** Operations in which the lanes of a warp exchange values or meet. */
final class WarpFamily implements Family {

    private static final Set<String> OPCODES = Set.of("shfl", "vote", "redux", "activemask", "match");

    @Override
    public boolean knows(Statement statement) {
        return OPCODES.contains(statement.opcode())
                || statement.opcode().equals("bar") && statement.modifiers().contains("warp");
    }

    @Override
    public Operation decode(Modifiers modifiers, Operands operands) {
        if (modifiers.opcode().equals("activemask")) {
            modifiers.takeType();
            return new ActiveMask(operands.wordTarget(0));
        }
        if (!modifiers.take("sync")) {
            throw modifiers.error("is supported with .sync only");
        }
        return switch (modifiers.opcode()) {
            case "shfl" -> shuffle(modifiers, operands);
            case "vote" -> vote(modifiers, operands);
            case "redux" -> reduce(modifiers, operands);
            case "match" -> match(modifiers, operands);
            default -> {
                modifiers.take("warp");
                yield new WarpBarrier(operands.word(0, PtxType.B32));
            }
        };
    }

    private static Operation shuffle(Modifiers modifiers, Operands operands) {
        Shuffle.Mode mode = Shuffle.Mode.valueOf(
                modifiers.requireOneOf("up", "down", "bfly", "idx").toUpperCase(java.util.Locale.ROOT));
        PtxType type = modifiers.takeType();
        operands.requireCount(5);
        Operand target = operands.get(0);
        int inRange = -1;
        if (target instanceof Operand.Pair pair) {
            target = pair.first();
            inRange = operands.predicateTarget(pair.second());
        }
        return new Shuffle(
                mode,
                operands.word(4, PtxType.B32),
                operands.wordTarget(target),
                inRange,
                operands.word(1, type),
                operands.word(2, PtxType.U32),
                operands.word(3, PtxType.U32));
    }

    private static Operation vote(Modifiers modifiers, Operands operands) {
        Vote.Kind kind = Vote.Kind.valueOf(
                modifiers.requireOneOf("all", "any", "uni", "ballot").toUpperCase(java.util.Locale.ROOT));
        modifiers.takeType();
        operands.requireCount(3);
        int target = kind == Vote.Kind.BALLOT ? operands.wordTarget(0) : operands.predicateTarget(0);
        return new Vote(kind, operands.word(2, PtxType.B32), target, operands.predicate(1), operands.isNegated(1));
    }

    private static Operation reduce(Modifiers modifiers, Operands operands) {
        String name = modifiers.requireOneOf("add", "min", "max", "and", "or", "xor");
        PtxType type = modifiers.takeType();
        operands.requireCount(3);
        boolean signed = type.isSigned();
        LaneFunctions.Int2 function = switch (name) {
            case "add" -> (a, b) -> a + b;
            case "and" -> (a, b) -> a & b;
            case "or" -> (a, b) -> a | b;
            case "xor" -> (a, b) -> a ^ b;
            case "min" -> signed ? Math::min : (a, b) -> Integer.compareUnsigned(a, b) < 0 ? a : b;
            default -> signed ? Math::max : (a, b) -> Integer.compareUnsigned(a, b) > 0 ? a : b;
        };
        return new WarpReduction(
                function, operands.word(2, PtxType.B32), operands.wordTarget(0), operands.word(1, type));
    }

    private static Operation match(Modifiers modifiers, Operands operands) {
        boolean all = modifiers.requireOneOf("any", "all").equals("all");
        PtxType type = modifiers.takeType();
        operands.requireCount(3);
        Operand target = operands.get(0);
        int everyone = -1;
        if (target instanceof Operand.Pair pair) {
            target = pair.first();
            everyone = operands.predicateTarget(pair.second());
        }
        if (all != everyone >= 0) {
            throw operands.error("needs a predicate target with .all and none with .any");
        }
        return new Match(operands.word(2, PtxType.B32), operands.wordTarget(target), everyone, operands.word(1, type));
    }
}
