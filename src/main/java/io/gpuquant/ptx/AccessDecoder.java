package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Operand;
import io.gpuquant.ptx.syntax.PtxType;
import java.util.List;

/** Chooses the operation for a load or store: those of global and shared memory have loops of their own. */
final class AccessDecoder {

    private final Operands operands;
    private final PtxType type;
    private final int vector;
    private final boolean checked;

    AccessDecoder(Operands operands, PtxType type, int vector, boolean checked) {
        this.operands = operands;
        this.type = type;
        this.vector = vector;
        this.checked = checked;
    }

    Operation load(MemorySpace space) {
        List<Operand> elements = elements(0);
        AddressSource source = operands.address(1, space);
        int registerBits = registerBits(elements);
        int[] targets = elements.stream()
                .mapToInt(element -> operands.wideTarget(element, type))
                .toArray();
        return hasLoop(space, source)
                ? checked(space, source, AccessKind.READ, loadLoop(space, source, targets, registerBits))
                : new LaneLoad(space, source, type, targets, registerBits);
    }

    private Operation loadLoop(MemorySpace space, AddressSource source, int[] targets, int registerBits) {
        boolean wide = registerBits == Long.SIZE;
        int[] arguments = AccessArguments.encode(source, type.bytes(), targets);
        if (space == MemorySpace.GLOBAL) {
            return wide
                    ? LoopSpecializer.operation(GlobalLoadLongs.class, ElementAccess.globalLongReader(type), arguments)
                    : LoopSpecializer.operation(
                            GlobalLoadWords.class, ElementAccess.globalReader(type, registerBits), arguments);
        }
        return wide
                ? LoopSpecializer.operation(SharedLoadLongs.class, ElementAccess.sharedLongReader(type), arguments)
                : LoopSpecializer.operation(
                        SharedLoadWords.class, ElementAccess.sharedReader(type, registerBits), arguments);
    }

    Operation store(MemorySpace space) {
        List<Operand> elements = elements(1);
        AddressSource source = operands.address(0, space);
        boolean wide = registerBits(elements) == Long.SIZE;
        int[] values = elements.stream()
                .mapToInt(element -> operands.wideSource(element, type))
                .toArray();
        return hasLoop(space, source)
                ? checked(space, source, AccessKind.WRITE, storeLoop(space, source, values, wide))
                : new LaneStore(space, source, type.bytes(), values, wide);
    }

    private Operation storeLoop(MemorySpace space, AddressSource source, int[] values, boolean wide) {
        int[] arguments = AccessArguments.encode(source, type.bytes(), values);
        if (space == MemorySpace.GLOBAL) {
            return wide
                    ? LoopSpecializer.operation(GlobalStoreLongs.class, ElementAccess.globalLongWriter(type), arguments)
                    : LoopSpecializer.operation(GlobalStoreWords.class, ElementAccess.globalWriter(type), arguments);
        }
        return wide
                ? LoopSpecializer.operation(SharedStoreLongs.class, ElementAccess.sharedLongWriter(type), arguments)
                : LoopSpecializer.operation(SharedStoreWords.class, ElementAccess.sharedWriter(type), arguments);
    }

    private Operation checked(MemorySpace space, AddressSource source, AccessKind kind, Operation access) {
        return checked ? new CheckedAccess(space, source, type.bytes() * vector, kind, access) : access;
    }

    private static boolean hasLoop(MemorySpace space, AddressSource source) {
        boolean known = space == MemorySpace.GLOBAL || space == MemorySpace.SHARED && !source.wide();
        return known && source.offset() == (int) source.offset();
    }

    private List<Operand> elements(int position) {
        List<Operand> elements = operands.elements(position);
        if (elements.size() != vector) {
            throw operands.error("needs " + vector + " registers");
        }
        return elements;
    }

    /** Width of the registers, which must be the same for all elements; sinks and literals go with any but 64 bits. */
    private int registerBits(List<Operand> elements) {
        int bits = 0;
        boolean others = false;
        for (Operand element : elements) {
            if (!(element instanceof Operand.Register)) {
                others = true;
                continue;
            }
            int own = operands.registerBits(element, type);
            if (bits != 0 && own != bits) {
                throw operands.error("names registers of different widths");
            }
            bits = own;
        }
        if (others && bits == Long.SIZE && !type.isWide()) {
            throw operands.error("mixes registers of 64 bits with other operands");
        }
        return bits == 0 ? type.bits() : bits;
    }
}
