package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Operand;
import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.Locale;
import java.util.Set;

/** Comparisons and selections. */
final class ComparisonFamily implements Family {

    private static final Set<String> OPCODES = Set.of("setp", "set", "selp", "slct");
    private static final String[] RELATIONS = {
        "eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu", "leu", "gtu", "geu", "num",
        "nan"
    };
    private static final PtxType[] COMPARED = {
        PtxType.B16,
        PtxType.B32,
        PtxType.B64,
        PtxType.U16,
        PtxType.U32,
        PtxType.U64,
        PtxType.S16,
        PtxType.S32,
        PtxType.S64,
        PtxType.F16,
        PtxType.F32,
        PtxType.F64
    };
    private static final PtxType[] SELECTED = {
        PtxType.B16,
        PtxType.B32,
        PtxType.B64,
        PtxType.U16,
        PtxType.U32,
        PtxType.U64,
        PtxType.S16,
        PtxType.S32,
        PtxType.S64,
        PtxType.F32,
        PtxType.F64
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
        PtxType type = modifiers.takeType(COMPARED);
        SetPredicate.Combine combine = modifiers
                .takeOneOf("and", "or", "xor")
                .map(name -> SetPredicate.Combine.valueOf(name.toUpperCase(Locale.ROOT)))
                .orElse(SetPredicate.Combine.NONE);
        operands.requireCount(combine == SetPredicate.Combine.NONE ? 3 : 4);
        Comparison comparison = comparison(modifiers, operands, type);
        int combined = combine == SetPredicate.Combine.NONE ? -1 : operands.predicate(3);
        boolean negated = combined >= 0 && operands.isNegated(3);
        int second = -1;
        Operand target = operands.get(0);
        if (target instanceof Operand.Pair pair) {
            if (type == PtxType.F16) {
                throw modifiers.error("has one predicate target only");
            }
            target = pair.first();
            second = operands.target(pair.second(), PtxType.PRED);
        }
        return new SetPredicate(comparison, operands.target(target, PtxType.PRED), second, combine, combined, negated);
    }

    private static Operation set(Modifiers modifiers, Operands operands) {
        PtxType sourceType = modifiers.takeType(
                PtxType.U16,
                PtxType.U32,
                PtxType.U64,
                PtxType.S16,
                PtxType.S32,
                PtxType.S64,
                PtxType.B16,
                PtxType.B32,
                PtxType.B64,
                PtxType.F32,
                PtxType.F64);
        PtxType targetType = modifiers.takeType(PtxType.U32, PtxType.S32, PtxType.F32);
        operands.requireCount(3);
        Comparison comparison = comparison(modifiers, operands, sourceType);
        int one = targetType == PtxType.F32 ? Float.floatToRawIntBits(1f) : -1;
        return new SetWord(comparison, operands.target(0, targetType), one);
    }

    private static Operation select(Modifiers modifiers, Operands operands) {
        PtxType type = modifiers.takeType(SELECTED);
        operands.requireCount(4);
        if (operands.isNegated(3)) {
            throw operands.error("takes a predicate that is not negated");
        }
        int condition = operands.predicate(3);
        int target = operands.target(0, type);
        int first = operands.source(1, type);
        int second = operands.source(2, type);
        return type.isWide()
                ? new Select.Wide(target, first, second, condition)
                : new Select.Word(target, first, second, condition);
    }

    private static Operation selectBySign(Modifiers modifiers, Operands operands) {
        PtxType signType = modifiers.takeType(PtxType.S32);
        PtxType type = modifiers.takeType(
                PtxType.B16, PtxType.B32, PtxType.U16, PtxType.U32, PtxType.S16, PtxType.S32, PtxType.F32);
        operands.requireCount(4);
        LaneFunctions.Int3 function = (a, b, c) -> c >= 0 ? a : b;
        return LoopSpecializer.operation(
                Ternary32.class,
                function,
                operands.target(0, type),
                operands.source(1, type),
                operands.source(2, type),
                operands.source(3, signType));
    }

    private static Comparison comparison(Modifiers modifiers, Operands operands, PtxType type) {
        String relation = modifiers.requireOneOf(RELATIONS);
        Object condition = type.isFloat()
                ? FloatRelations.of(modifiers, relation, type)
                : IntegerRelations.of(modifiers, relation, type);
        return LoopSpecializer.comparison(
                type.isWide() ? Compare64.class : Compare32.class,
                condition,
                operands.source(1, type),
                operands.source(2, type));
    }
}
