package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Operand;
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
        if (modifiers.opcode().equals("barrier")) {
            modifiers.take("cta");
            modifiers.take("aligned");
        }
        if (modifiers.take("sync")) {
            return barrier(operands, 0, null);
        }
        if (!modifiers.take("red")) {
            throw modifiers.error("is not supported");
        }
        BarrierReduction.Kind kind = switch (modifiers.requireOneOf("popc", "and", "or")) {
            case "popc" -> BarrierReduction.Kind.POPC;
            case "and" -> BarrierReduction.Kind.AND;
            default -> BarrierReduction.Kind.OR;
        };
        PtxType type = modifiers.takeType(kind == BarrierReduction.Kind.POPC ? PtxType.U32 : PtxType.PRED);
        int last = operands.count() - 1;
        int source = operands.predicate(last);
        int target = operands.target(0, type);
        return barrier(operands, 1, new BarrierReduction(kind, target, source, operands.isNegated(last)));
    }

    /** A barrier whose number stands at {@code position}, followed by a thread count if there is one. */
    private static Operation barrier(Operands operands, int position, @Nullable BarrierReduction reduction) {
        int afterNumber = operands.count() - position - 1 - (reduction == null ? 0 : 1);
        if (afterNumber < 0 || afterNumber > 1) {
            throw operands.error("takes a barrier and perhaps a number of threads");
        }
        int number = operands.source(position, PtxType.U32);
        if (operands.get(position) instanceof Operand.Immediate
                && Integer.compareUnsigned(operands.literal(position), Barrier.COUNT) >= 0) {
            throw operands.error("names a barrier that is not one of the " + Barrier.COUNT);
        }
        int threads = afterNumber > 0 ? operands.source(position + 1, PtxType.U32) : -1;
        if (threads >= 0
                && operands.get(position + 1) instanceof Operand.Immediate
                && operands.literal(position + 1) % Operation.LANES != 0) {
            throw operands.error("is for a number of threads that is not a multiple of " + Operation.LANES);
        }
        return new BarrierOperation(number, threads, reduction);
    }
}
