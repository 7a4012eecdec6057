package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Operand;
import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.Locale;
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
            operands.requireCount(1);
            return new ActiveMask(operands.target(0, modifiers.takeType(PtxType.B32)));
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
                operands.requireCount(1);
                yield new WarpBarrier(members(operands, 0));
            }
        };
    }

    private static Collective.Members members(Operands operands, int position) {
        boolean isLiteral = operands.get(position) instanceof Operand.Immediate;
        return new Collective.Members(operands.source(position, PtxType.B32), isLiteral);
    }

    private static Operation shuffle(Modifiers modifiers, Operands operands) {
        Shuffle.Mode mode = Shuffle.Mode.valueOf(
                modifiers.requireOneOf("up", "down", "bfly", "idx").toUpperCase(Locale.ROOT));
        PtxType type = modifiers.takeType(PtxType.B32);
        operands.requireCount(5);
        Operand target = operands.get(0);
        int inRange = -1;
        if (target instanceof Operand.Pair pair) {
            target = pair.first();
            inRange = operands.target(pair.second(), PtxType.PRED);
        }
        return new Shuffle(
                mode,
                members(operands, 4),
                operands.target(target, type),
                inRange,
                operands.source(1, type),
                operands.source(2, PtxType.B32),
                operands.source(3, PtxType.B32));
    }

    private static Operation vote(Modifiers modifiers, Operands operands) {
        Vote.Kind kind = Vote.Kind.valueOf(
                modifiers.requireOneOf("all", "any", "uni", "ballot").toUpperCase(Locale.ROOT));
        PtxType type = modifiers.takeType(kind == Vote.Kind.BALLOT ? PtxType.B32 : PtxType.PRED);
        operands.requireCount(3);
        int target = operands.target(0, type);
        return new Vote(kind, members(operands, 2), target, operands.predicate(1), operands.isNegated(1));
    }

    private static Operation reduce(Modifiers modifiers, Operands operands) {
        String name = modifiers.requireOneOf("add", "min", "max", "and", "or", "xor");
        boolean logic = name.equals("and") || name.equals("or") || name.equals("xor");
        PtxType type = logic ? modifiers.takeType(PtxType.B32) : modifiers.takeType(PtxType.U32, PtxType.S32);
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
        return new WarpReduction(function, members(operands, 2), operands.target(0, type), operands.source(1, type));
    }

    private static Operation match(Modifiers modifiers, Operands operands) {
        boolean all = modifiers.requireOneOf("any", "all").equals("all");
        PtxType type = modifiers.takeType(PtxType.B32);
        operands.requireCount(3);
        Operand target = operands.get(0);
        int everyone = -1;
        if (all && target instanceof Operand.Pair pair) {
            target = pair.first();
            everyone = operands.target(pair.second(), PtxType.PRED);
        }
        return new Match(all, members(operands, 2), operands.target(target, type), everyone, operands.source(1, type));
    }
}
