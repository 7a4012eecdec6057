package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import org.jspecify.annotations.Nullable;

/** Barriers of a block: {@code bar.sync}, {@code bar.red} and their spellings with {@code barrier}. */
final class BarrierFamily implements Family {

    @Override
    public boolean knows(Statement statement) {
        boolean barrier = statement.opcode().equals("bar") || statement.opcode().equals("barrier");
        return barrier && !statement.modifiers().contains("warp");
    }

    @Override
    public Operation decode(Modifiers modifiers, Operands operands) {
        modifiers.take("cta");
        modifiers.take("aligned");
        if (modifiers.take("sync")) {
            return barrier(operands, 0, null);
        }
        if (!modifiers.take("red")) {
            throw modifiers.error("is not supported");
        }
        BarrierReduction.Kind kind = BarrierReduction.kindNamed(modifiers.requireOneOf("popc", "and", "or"));
        modifiers.takeType();
        int last = operands.count() - 1;
        int source = operands.predicate(last);
        if (kind == null) {
            throw modifiers.error("is not supported");
        }
        int target = kind == BarrierReduction.Kind.POPC ? operands.wordTarget(0) : operands.predicateTarget(0);
        return barrier(operands, 1, new BarrierReduction(kind, target, source, operands.isNegated(last)));
    }

    /** A barrier whose number stands at {@code position}, followed by a thread count if there is one. */
    private static Operation barrier(Operands operands, int position, @Nullable BarrierReduction reduction) {
        int number = operands.word(position, PtxType.U32);
        int afterNumber = operands.count() - position - 1 - (reduction == null ? 0 : 1);
        int threads = afterNumber > 0 ? operands.word(position + 1, PtxType.U32) : -1;
        return new BarrierOperation(number, threads, reduction);
    }
}
