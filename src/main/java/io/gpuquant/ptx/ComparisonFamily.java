package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Operand;
import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.Set;

/** Comparisons and selections. */
final class ComparisonFamily implements Family {

    private static final Set<String> OPCODES = Set.of("setp", "set", "selp", "slct");
    private static final String[] RELATIONS = {
        "eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu", "leu", "gtu", "geu", "num",
        "nan"
    };

    @Override
    public boolean knows(Statement statement) {
        return OPCODES.contains(statement.opcode());
    }

    @Override
    public Operation decode(Modifiers modifiers, Operands operands) {
        return switch (modifiers.opcode()) {
            case "setp" -> setPredicate(modifiers, operands);
            case "set" -> set(modifiers, operands);
            case "selp" -> select(modifiers, operands);
            default -> selectBySign(modifiers, operands);
        };
    }

    private static Operation setPredicate(Modifiers modifiers, Operands operands) {
        PtxType type = modifiers.takeType();
        String relation = modifiers.requireOneOf(RELATIONS);
        SetPredicate.Combine combine = modifiers
                .takeOneOf("and", "or", "xor")
                .map(name -> SetPredicate.Combine.valueOf(name.toUpperCase(java.util.Locale.ROOT)))
                .orElse(SetPredicate.Combine.NONE);
        operands.requireCount(combine == SetPredicate.Combine.NONE ? 3 : 4);
        Comparison comparison = comparison(modifiers, operands, relation, type);
        int combined = combine == SetPredicate.Combine.NONE ? -1 : operands.predicate(3);
        boolean negated = combined >= 0 && operands.isNegated(3);
        int second = -1;
        Operand target = operands.get(0);
        if (target instanceof Operand.Pair pair) {
            target = pair.first();
            second = operands.predicateTarget(pair.second());
        }
        return new SetPredicate(comparison, operands.predicateTarget(target), second, combine, combined, negated);
    }

    private static Operation set(Modifiers modifiers, Operands operands) {
        PtxType sourceType = modifiers.takeType();
        PtxType targetType = modifiers.takeType();
        operands.requireCount(3);
        Comparison comparison = comparison(modifiers, operands, modifiers.requireOneOf(RELATIONS), sourceType);
        int one = targetType == PtxType.F32 ? Float.floatToRawIntBits(1f) : -1;
        return new SetWord(comparison, operands.wordTarget(0), one);
    }

    private static Operation select(Modifiers modifiers, Operands operands) {
        PtxType type = modifiers.takeType();
        operands.requireCount(4);
        if (operands.isNegated(3)) {
            throw operands.error("takes a predicate that is not negated");
        }
        int condition = operands.predicate(3);
        return type.isWide()
                ? new Select.Wide(operands.wideTarget(0), operands.wide(1, type), operands.wide(2, type), condition)
                : new Select.Word(operands.wordTarget(0), operands.word(1, type), operands.word(2, type), condition);
    }

    private static Operation selectBySign(Modifiers modifiers, Operands operands) {
        PtxType signType = modifiers.takeType();
        PtxType type = modifiers.takeType();
        if (type.isWide() || signType != PtxType.S32) {
            throw modifiers.unsupported(type);
        }
        return Loops.ternary32(operands, type, (a, b, c) -> c >= 0 ? a : b);
    }

    private static Comparison comparison(Modifiers modifiers, Operands operands, String relation, PtxType type) {
        if (type.isWide()) {
            Object condition = type == PtxType.F64
                    ? FloatRelations.doubles(modifiers, relation)
                    : IntegerRelations.wide(modifiers, relation, type.isSigned());
            return LoopSpecializer.comparison(
                    Compare64.class, condition, operands.wide(1, type), operands.wide(2, type));
        }
        Object condition;
        if (type.isFloat()) {
            condition = FloatRelations.of(modifiers, relation, type);
        } else if (type == PtxType.S16) {
            condition = IntegerRelations.signedShorts(modifiers, relation);
        } else {
            condition = IntegerRelations.words(modifiers, relation, type.isSigned());
        }
        return LoopSpecializer.comparison(Compare32.class, condition, operands.word(1, type), operands.word(2, type));
    }
}
