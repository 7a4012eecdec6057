package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Operand;
import io.gpuquant.ptx.syntax.PtxType;
import java.util.List;

/** Chooses the operation for a load or store. */
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

    Operation decode(boolean load, String space) {
        // createpolicy's value may follow as an operand of its own.
        int values = load ? 0 : 1;
        List<Operand> elements = operands.elements(values);
        if (elements.size() != vector) {
            throw operands.error("needs " + vector + " registers");
        }
        if (!(operands.get(1 - values) instanceof Operand.Address address)) {
            throw operands.error("needs an address in brackets");
        }
        MemorySpace memory = MemorySpace.named(space);
        boolean wideBase = operands.isWideRegister(address.base());
        boolean symbol = address.base() instanceof Operand.Symbol;
        if (memory != MemorySpace.SHARED && !wideBase && !symbol) {
            throw operands.error("needs a 64-bit address");
        }
        int base = wideBase || memory != MemorySpace.SHARED
                ? operands.wide(address.base(), PtxType.U64)
                : operands.word(address.base(), PtxType.U32);
        boolean wide = wideBase || memory != MemorySpace.SHARED;
        int[] registers = MemoryFamily.registers(operands, elements, type, load);
        AddressSource source = new AddressSource(base, wide, address.offset());
        if (!checked && address.offset() == (int) address.offset()) {
            if (memory == MemorySpace.GLOBAL) {
                return fastGlobal(load, base, (int) address.offset(), registers);
            }
            if (memory == MemorySpace.SHARED && !wide) {
                return fastShared(load, base, (int) address.offset(), registers);
            }
        }
        int registerBits = load ? operands.registerBits(elements.getFirst()) : type.bits();
        return load
                ? new CarefulLoad(memory, source, type, registers, registerBits)
                : new CarefulStore(memory, source, type, registers);
    }

    private Operation fastGlobal(boolean load, int base, int offset, int[] registers) {
        int[] arguments = AccessArguments.encode(base, offset, type.bytes(), registers);
        if (type.isWide()) {
            return load
                    ? LoopSpecializer.operation(GlobalLoadLongs.class, ElementAccess.GLOBAL_LONG_READER, arguments)
                    : LoopSpecializer.operation(GlobalStoreLongs.class, ElementAccess.GLOBAL_LONG_WRITER, arguments);
        }
        return load
                ? LoopSpecializer.operation(
                        GlobalLoadWords.class, ElementAccess.globalReader(type, registerBits()), arguments)
                : LoopSpecializer.operation(GlobalStoreWords.class, ElementAccess.globalWriter(type), arguments);
    }

    private Operation fastShared(boolean load, int base, int offset, int[] registers) {
        int[] arguments = AccessArguments.encode(base, offset, type.bytes(), registers);
        if (type.isWide()) {
            return load
                    ? LoopSpecializer.operation(SharedLoadLongs.class, ElementAccess.SHARED_LONG_READER, arguments)
                    : LoopSpecializer.operation(SharedStoreLongs.class, ElementAccess.SHARED_LONG_WRITER, arguments);
        }
        return load
                ? LoopSpecializer.operation(
                        SharedLoadWords.class, ElementAccess.sharedReader(type, registerBits()), arguments)
                : LoopSpecializer.operation(SharedStoreWords.class, ElementAccess.sharedWriter(type), arguments);
    }

    private int registerBits() {
        return operands.registerBits(operands.elements(0).getFirst());
    }
}
