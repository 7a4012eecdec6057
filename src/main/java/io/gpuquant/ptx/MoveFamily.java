package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Operand;
import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.List;
import java.util.Set;

/** Moves, packing and unpacking, conversions of addresses between spaces, and instructions that only advise. */
final class MoveFamily implements Family {

    private static final Set<String> OPCODES = Set.of("mov", "cvta");

    /** Advice and orderings that a machine which executes in order may ignore. */
    private static final Set<String> ADVICE =
            Set.of("prefetch", "prefetchu", "nanosleep", "membar", "fence", "discard", "createpolicy", "applypriority");

    @Override
    public boolean knows(Statement statement) {
        return OPCODES.contains(statement.opcode()) || ADVICE.contains(statement.opcode());
    }

    @Override
    public Operation decode(Modifiers modifiers, Operands operands) {
        if (ADVICE.contains(modifiers.opcode())) {
            return advice(modifiers, operands);
        }
        return modifiers.opcode().equals("mov") ? move(modifiers, operands) : convertAddress(modifiers, operands);
    }

    private static Operation advice(Modifiers modifiers, Operands operands) {
        modifiers.takeOneOf("global", "shared", "local");
        modifiers.takeOneOf("sc", "acq_rel", "fractional", "L1", "L2");
        modifiers.takeOneOf("cta", "gl", "sys", "gpu", "cluster", "b64", "u32", "L1", "L2");
        modifiers.takePrefixed("L2::");
        modifiers.takePrefixed("proxy");
        modifiers.takeOneOf("b64");
        if (modifiers.opcode().equals("createpolicy")) {
            // The policy is an opaque value that only advice takes; any will do, but it must count as written.
            return LoopSpecializer.operation(
                    Unary64.class, (LaneFunctions.Long1) a -> a, operands.wideTarget(0), zero(operands));
        }
        return new NoOperation();
    }

    private static int zero(Operands operands) {
        return operands.wide(new Operand.Immediate(0, Operand.Immediate.Form.INTEGER), PtxType.U64);
    }

    private static Operation move(Modifiers modifiers, Operands operands) {
        PtxType type = modifiers.takeType();
        operands.requireCount(2);
        if (type == PtxType.PRED) {
            int source = operands.predicate(1);
            return new PredicateOperation(
                    operands.isNegated(1) ? PredicateOperation.Kind.NOT : PredicateOperation.Kind.COPY,
                    operands.predicateTarget(0),
                    source,
                    source);
        }
        if (operands.get(1) instanceof Operand.Vector vector) {
            return pack(operands, type, vector.elements());
        }
        if (operands.get(0) instanceof Operand.Vector vector) {
            return unpack(operands, type, vector.elements());
        }
        return type.isWide() ? Loops.unary64(operands, type, a -> a) : Loops.unary32(operands, type, a -> a);
    }

    /** {@code mov.b32 r, {h0, h1}} and {@code mov.b64 d, {r0, r1}}: the first element is the lowest. */
    private static Operation pack(Operands operands, PtxType type, List<Operand> elements) {
        PtxType half = type.isWide() ? PtxType.B32 : PtxType.B16;
        if (elements.size() != 2 || type.bits() < 32) {
            throw operands.error("packs two halves only");
        }
        int low = operands.word(elements.get(0), half);
        int high = operands.word(elements.get(1), half);
        if (type.isWide()) {
            LaneFunctions.IntsToLong join = (a, b) -> (long) b << 32 | a & 0xffff_ffffL;
            return LoopSpecializer.operation(WidenBinary.class, join, operands.wideTarget(0), low, high);
        }
        LaneFunctions.Int2 join = (a, b) -> b << 16 | a & 0xffff;
        return LoopSpecializer.operation(Binary32.class, join, operands.wordTarget(0), low, high);
    }

    private static Operation unpack(Operands operands, PtxType type, List<Operand> elements) {
        if (elements.size() != 2 || type.bits() < 32) {
            throw operands.error("unpacks two halves only");
        }
        if (type.isWide()) {
            int source = operands.wide(1, type);
            return new Sequence(
                    half(operands, elements.get(0), Narrow.class, (LaneFunctions.LongToInt) a -> (int) a, source),
                    half(
                            operands,
                            elements.get(1),
                            Narrow.class,
                            (LaneFunctions.LongToInt) a -> (int) (a >>> 32),
                            source));
        }
        int source = operands.word(1, type);
        // The source may be one of the targets, but only where both are 32 bits wide, which halves of 32 bits are not.
        return new Sequence(
                half(operands, elements.get(0), Unary32.class, (LaneFunctions.Int1) a -> a & 0xffff, source),
                half(operands, elements.get(1), Unary32.class, (LaneFunctions.Int1) a -> a >>> 16, source));
    }

    private static Operation half(
            Operands operands, Operand target, Class<? extends Operation> loop, Object function, int source) {
        // A sink takes a half that nobody wants.
        if (target instanceof Operand.Symbol symbol && symbol.name().equals("_")) {
            return new NoOperation();
        }
        return LoopSpecializer.operation(loop, function, operands.wordTarget(target), source);
    }

    private static Operation convertAddress(Modifiers modifiers, Operands operands) {
        boolean toSpace = modifiers.take("to");
        String space = modifiers.requireOneOf("global", "shared", "local");
        PtxType type = modifiers.takeType();
        long window = GenericSpace.windowOf(space);
        if (window == 0) {
            return Loops.unary64(operands, type, a -> a);
        }
        if (toSpace) {
            return Loops.unary64(operands, type, a -> a & GenericSpace.OFFSET_MASK);
        }
        return space.equals("shared")
                ? Loops.unary64(operands, type, a -> a | GenericSpace.SHARED_WINDOW)
                : Loops.unary64(operands, type, a -> a | GenericSpace.LOCAL_WINDOW);
    }
}
