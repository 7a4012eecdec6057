package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import org.jspecify.annotations.Nullable;

/** A group of opcodes that are decoded alike. */
interface Family {

    /** Whether this instruction belongs here. */
    boolean knows(Statement statement);

    /**
     * Decodes an instruction, taking all modifiers it understands.
     *
     * @throws io.gpuquant.ptx.syntax.PtxSyntaxException for a form that is not supported
     */
    Operation decode(Modifiers modifiers, Operands operands);

    /** The type an instruction ends with, or null. */
    static @Nullable PtxType typeOf(Statement statement) {
        return statement.modifiers().isEmpty()
                ? null
                : PtxType.named(statement.modifiers().getLast());
    }
}
