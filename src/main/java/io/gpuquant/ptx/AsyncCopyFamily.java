package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.Operand;
import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;

/** {@code cp.async}: copies from global to shared memory that go on while the thread does other things. */
final class AsyncCopyFamily implements Family {

    private static final int ALL_GROUPS = -1;

    @Override
    public boolean knows(Statement statement) {
        return statement.opcode().equals("cp") && statement.modifiers().contains("async");
    }

    @Override
    public Operation decode(Modifiers modifiers, Operands operands) {
        modifiers.take("async");
        if (modifiers.take("commit_group")) {
            operands.requireCount(0);
            return new AsyncCopyControl(AsyncCopyControl.Kind.COMMIT, 0);
        }
        if (modifiers.take("wait_all")) {
            operands.requireCount(0);
            return new AsyncCopyControl(AsyncCopyControl.Kind.WAIT, ALL_GROUPS);
        }
        if (modifiers.take("wait_group")) {
            operands.requireCount(1);
            return new AsyncCopyControl(AsyncCopyControl.Kind.WAIT, operands.literal(0));
        }
        return copy(modifiers, operands);
    }

    private static Operation copy(Modifiers modifiers, Operands operands) {
        modifiers.requireOneOf("ca", "cg");
        if (modifiers.takeOneOf("shared", "shared::cta").isEmpty() || !modifiers.take("global")) {
            throw modifiers.error("copies from .global to .shared only");
        }
        modifiers.takePrefixed("L2::");
        if (!(operands.get(0) instanceof Operand.Address target)
                || !(operands.get(1) instanceof Operand.Address source)) {
            throw operands.error("needs two addresses in brackets");
        }
        int bytes = operands.literal(2);
        if (bytes != 4 && bytes != 8 && bytes != 16) {
            throw operands.error("copies 4, 8 or 16 bytes");
        }
        // The optional fourth operand says how many bytes to read; zeros fill the rest.
        int readable = operands.count() > 3 ? operands.word(3, PtxType.U32) : operands.constant(bytes);
        return new AsyncCopyIssue(
                new AddressSource(operands.word(target.base(), PtxType.U32), false, target.offset()),
                new AddressSource(operands.wide(source.base(), PtxType.U64), true, source.offset()),
                bytes,
                readable);
    }
}
