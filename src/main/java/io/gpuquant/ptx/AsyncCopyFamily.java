package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.Set;

/** {@code cp.async}: copies from global to shared memory that go on while the thread does other things. */
final class AsyncCopyFamily implements Family {

    private static final int ALL_GROUPS = -1;
    private static final int LARGEST = 16;
    private static final Set<Integer> SIZES = Set.of(4, 8, LARGEST);

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
            int pending = operands.literal(0);
            if (pending < 0) {
                throw operands.error("waits for a negative number of groups");
            }
            return new AsyncCopyControl(AsyncCopyControl.Kind.WAIT, pending);
        }
        return copy(modifiers, operands);
    }

    private static Operation copy(Modifiers modifiers, Operands operands) {
        boolean pastFirstCache = modifiers.requireOneOf("ca", "cg").equals("cg");
        if (modifiers.takeOneOf("shared", "shared::cta").isEmpty() || !modifiers.take("global")) {
            throw modifiers.error("copies from .global to .shared only");
        }
        int hint = modifiers.take("L2::cache_hint") ? 1 : 0;
        modifiers.takePrefixed("L2::");
        int bytes = operands.literal(2);
        if (!SIZES.contains(bytes) || pastFirstCache && bytes != LARGEST) {
            throw operands.error("copies 4, 8 or 16 bytes, with .cg only 16");
        }
        if (operands.count() != 3 + hint) {
            operands.requireCount(4 + hint);
        }
        if (hint > 0) {
            operands.source(operands.count() - 1, PtxType.B64);
        }
        // The optional fourth operand says how many bytes to read; zeros fill the rest.
        int readable = operands.count() > 3 + hint ? operands.source(3, PtxType.U32) : operands.constant(bytes);
        return new AsyncCopyIssue(
                operands.address(0, MemorySpace.SHARED), operands.address(1, MemorySpace.GLOBAL), bytes, readable);
    }
}
