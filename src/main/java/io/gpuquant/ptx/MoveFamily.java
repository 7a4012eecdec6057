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

    private static final PtxType[] MOVED = {
        PtxType.PRED,
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

    /** What finds one part of a source. */
    private record Part(int shift, int bits, boolean wideSource) {}

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
        modifiers.takeOneOf("cta", "gl", "sys", "gpu", "b64", "u32", "L1", "L2");
        modifiers.takePrefixed("L2::");
        modifiers.takeOneOf("b64");
        if (modifiers.opcode().equals("createpolicy")) {
            // The policy is an opaque value that only advice takes; any will do, but it must count as written.
            return LoopSpecializer.operation(
                    Unary64.class,
                    (LaneFunctions.Long1) a -> a,
                    operands.target(0, PtxType.B64),
                    operands.source(new Operand.Immediate(0, Operand.Immediate.Form.INTEGER), PtxType.B64));
        }
        return new NoOperation();
    }

    private static Operation move(Modifiers modifiers, Operands operands) {
        PtxType type = modifiers.takeType(MOVED);
        operands.requireCount(2);
        if (type == PtxType.PRED) {
            if (operands.isNegated(1)) {
                throw operands.error("takes a predicate that is not negated");
            }
            int source = operands.predicate(1);
            return new PredicateOperation(PredicateOperation.Kind.COPY, operands.predicateTarget(0), source, source);
        }
        if (operands.get(1) instanceof Operand.Vector vector) {
            return pack(operands, type, vector.elements());
        }
        if (operands.get(0) instanceof Operand.Vector vector) {
            return unpack(operands, type, vector.elements());
        }
        int target = operands.target(0, type);
        int source = operands.get(1) instanceof Operand.Symbol symbol
                ? operands.addressOf(symbol, type)
                : operands.sourceOrSpecial(1, type);
        if (type.isWide()) {
            return LoopSpecializer.operation(Unary64.class, (LaneFunctions.Long1) a -> a, target, source);
        }
        // A predefined register has 32 bits, of which a move to a narrower one takes the low half.
        LaneFunctions.Int1 function = type.bits() == Short.SIZE ? a -> a & 0xffff : a -> a;
        return LoopSpecializer.operation(Unary32.class, function, target, source);
    }

    /** {@code mov.b32 r, {h0, h1}}, {@code mov.b64 d, {r0, r1}}, {@code mov.b64 d, {h0, h1, h2, h3}}: the first is lowest. */
    private static Operation pack(Operands operands, PtxType type, List<Operand> elements) {
        PtxType part = partType(operands, type, elements);
        int[] sources = elements.stream()
                .mapToInt(element -> operands.source(element, part))
                .toArray();
        int target = operands.target(0, type);
        if (!type.isWide()) {
            LaneFunctions.Int2 join = (a, b) -> b << 16 | a & 0xffff;
            return LoopSpecializer.operation(Binary32.class, join, target, sources[0], sources[1]);
        }
        if (part == PtxType.B32) {
            LaneFunctions.IntsToLong join = (a, b) -> (long) b << 32 | a & 0xffff_ffffL;
            return LoopSpecializer.operation(WidenBinary.class, join, target, sources[0], sources[1]);
        }
        return new PackQuarters(target, sources);
    }

    private static Operation unpack(Operands operands, PtxType type, List<Operand> elements) {
        PtxType part = partType(operands, type, elements);
        int source = operands.source(1, type);
        Operation[] parts = new Operation[elements.size()];
        for (int i = 0; i < parts.length; i++) {
            int target = operands.target(elements.get(i), part);
            parts[i] = part(target, source, new Part(i * part.bits(), part.bits(), type.isWide()));
        }
        return new Sequence(parts);
    }

    private static Operation part(int target, int source, Part part) {
        int mask = part.bits() == Short.SIZE ? 0xffff : -1;
        int shift = part.shift();
        if (part.wideSource()) {
            LaneFunctions.LongToInt function = LaneFunctions.shared(part, () -> a -> (int) (a >>> shift) & mask);
            return LoopSpecializer.operation(Narrow.class, function, target, source);
        }
        LaneFunctions.Int1 function = LaneFunctions.shared(part, () -> a -> a >>> shift & mask);
        return LoopSpecializer.operation(Unary32.class, function, target, source);
    }

    /** The type of each of the parts that fill a type. */
    private static PtxType partType(Operands operands, PtxType type, List<Operand> elements) {
        if (type == PtxType.B32 && elements.size() == 2) {
            return PtxType.B16;
        }
        if (type == PtxType.B64 && elements.size() == 2) {
            return PtxType.B32;
        }
        if (type == PtxType.B64 && elements.size() == 4) {
            return PtxType.B16;
        }
        throw operands.error("packs or unpacks 32 bits in two halves, or 64 bits in two or four parts");
    }

    private static Operation convertAddress(Modifiers modifiers, Operands operands) {
        boolean toSpace = modifiers.take("to");
        String space = modifiers.requireOneOf("global", "shared", "local", "const");
        PtxType type = modifiers.takeType(PtxType.U64);
        long window = GenericSpace.windowOf(space);
        if (window == 0) {
            return convert(operands, type, a -> a);
        }
        if (toSpace) {
            return convert(operands, type, a -> a & GenericSpace.OFFSET_MASK);
        }
        return space.equals("shared")
                ? convert(operands, type, a -> a | GenericSpace.SHARED_WINDOW)
                : convert(operands, type, a -> a | GenericSpace.LOCAL_WINDOW);
    }

    private static Operation convert(Operands operands, PtxType type, LaneFunctions.Long1 function) {
        operands.requireCount(2);
        int target = operands.target(0, type);
        int source = operands.get(1) instanceof Operand.Symbol symbol
                ? operands.addressOf(symbol, type)
                : operands.source(1, type);
        return LoopSpecializer.operation(Unary64.class, function, target, source);
    }
}
