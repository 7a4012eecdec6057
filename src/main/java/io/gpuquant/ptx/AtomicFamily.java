package io.gpuquant.ptx;

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
        if (modifiers.opcode().equals("atom")) {
            modifiers.takeOneOf("acquire", "acq_rel");
        }
        modifiers.takeOneOf("relaxed", "release");
        modifiers.takeOneOf("cta", "gpu", "sys");
        MemorySpace space = MemorySpace.named(
                modifiers.takeOneOf("global", "shared", "shared::cta").orElse("generic"));
        boolean returns = modifiers.opcode().equals("atom");
        String operation = returns
                ? modifiers.requireOneOf("add", "min", "max", "cas", "exch", "and", "or", "xor", "inc", "dec")
                : modifiers.requireOneOf("add", "min", "max", "and", "or", "xor", "inc", "dec");
        PtxType type = modifiers.takeType(AtomicFunctions.types(operation));
        if (type == PtxType.F16X2 && !modifiers.take("noftz")) {
            throw modifiers.error("needs .noftz");
        }
        int at = returns ? 1 : 0;
        boolean swap = operation.equals("cas");
        operands.requireCount(at + (swap ? 3 : 2));
        AddressSource source = operands.address(at, space);
        int value = operands.source(at + 1, type);
        int replacement = swap ? operands.source(at + 2, type) : -1;
        int target = returns ? operands.target(0, type) : -1;
        return new AtomicOperation(
                space,
                source,
                type,
                swap ? null : AtomicFunctions.of(operation, type),
                new AtomicOperation.Registers(target, value, replacement),
                checked);
    }
}
