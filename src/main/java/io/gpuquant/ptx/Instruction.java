package io.gpuquant.ptx;

import org.jspecify.annotations.Nullable;

/**
 * A decoded instruction: what it does, under which guard, and where it came from.
 *
 * @param operation what it does to active lanes; null for branches to a label, exits and traps
 * @param guard index of the guarding predicate, or -1
 * @param target index of the instruction a branch to a label goes to
 * @param uses the registers it reads and writes, for the check of uninitialised reads
 */
record Instruction(
        Kind kind,
        @Nullable Operation operation,
        int guard,
        boolean guardNegated,
        int target,
        RegisterUse uses,
        String mnemonic,
        int line,
        String text) {

    /** How the interpreter treats an instruction. */
    enum Kind {
        /** Lanes are independent. */
        LANES,
        /** The lanes of a member mask execute together. */
        COLLECTIVE,
        /** The warp waits for other warps of its block. */
        BARRIER,
        /** To a label. */
        BRANCH,
        /** To one of several labels, chosen by each lane. */
        INDEXED_BRANCH,
        /** The active lanes end. */
        EXIT,
        /** The kernel reports a failure of its own. */
        TRAP
    }

    /** Running off the end of a kernel, which is returning from it. */
    static Instruction endOf(String kernel, int line) {
        return new Instruction(Kind.EXIT, null, -1, false, -1, RegisterUse.NONE, "ret", line, "end of " + kernel);
    }

    /** The lanes of {@code mask} that execute, which are those with a true guard. */
    int active(Warp warp, int mask) {
        if (guard < 0) {
            return mask;
        }
        int predicate = warp.predicates[guard];
        return mask & (guardNegated ? ~predicate : predicate);
    }

    /** What it does, where it is not a branch to a label, an exit or a trap. */
    Operation requireOperation() {
        if (operation == null) {
            throw new IllegalStateException("no operation in " + this);
        }
        return operation;
    }
}
