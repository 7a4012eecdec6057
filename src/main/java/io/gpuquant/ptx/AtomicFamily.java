package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Operand;
import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;

/** {@code atom} and {@code red}: read, compute and write back without another thread between. */
final class AtomicFamily implements Family {

    private final boolean checked;

    AtomicFamily(boolean checked) {
        this.checked = checked;
    }

    @Override
    public boolean knows(Statement statement) {
        return statement.opcode().equals("atom") || statement.opcode().equals("red");
    }

    @Override
    public Operation decode(Modifiers modifiers, Operands operands) {
        modifiers.takeOneOf("relaxed", "acquire", "release", "acq_rel");
        modifiers.takeOneOf("cta", "gpu", "sys");
        modifiers.take("noftz");
        MemorySpace space = MemorySpace.named(
                modifiers.takeOneOf("global", "shared", "shared::cta").orElse("generic"));
        String operation = modifiers.requireOneOf("add", "min", "max", "cas", "exch", "and", "or", "xor", "inc", "dec");
        PtxType type = modifiers.takeType();
        boolean returns = modifiers.opcode().equals("atom");
        int at = returns ? 1 : 0;
        boolean swap = operation.equals("cas");
        operands.requireCount(at + (swap ? 3 : 2));
        if (!(operands.get(at) instanceof Operand.Address address)) {
            throw operands.error("needs an address in brackets");
        }
        boolean wideBase = operands.isWideRegister(address.base());
        int base = wideBase ? operands.wide(address.base(), PtxType.U64) : operands.word(address.base(), PtxType.U32);
        int value = source(operands, at + 1, type);
        int replacement = swap ? source(operands, at + 2, type) : -1;
        int target = -1;
        if (returns) {
            target = type.isWide() ? operands.wideTarget(0) : operands.wordTarget(0);
        }
        return new AtomicOperation(
                space,
                new AddressSource(base, wideBase, address.offset()),
                type,
                swap ? null : AtomicFunctions.of(modifiers, operation, type),
                new AtomicOperation.Registers(target, value, replacement),
                checked);
    }

    private static int source(Operands operands, int position, PtxType type) {
        return type.isWide() ? operands.wide(position, type) : operands.word(position, type);
    }
}
