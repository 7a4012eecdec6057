package io.gpuquant.ptx;

import org.jspecify.annotations.Nullable;

/**
 * A decoded instruction: what it does, under which guard, and where it came from.
 *
 * @param operation what it does to active lanes; null for branches and exits
 * @param guard index of the guarding predicate, or -1
 * @param target index of the instruction a branch goes to
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
        BRANCH,
        /** The active lanes end. */
        EXIT,
        /** The kernel reports a failure of its own. */
        TRAP
    }

    /** Whether the lanes of {@code mask} with a true guard execute: the mask of those. */
    int active(Warp warp, int mask) {
        if (guard < 0) {
            return mask;
        }
        int predicate = warp.predicates[guard];
        return mask & (guardNegated ? ~predicate : predicate);
    }

    /** Indices of registers by kind. */
    record RegisterUse(
            int[] wordsRead,
            int[] longsRead,
            int[] predicatesRead,
            int[] wordsWritten,
            int[] longsWritten,
            int[] predicatesWritten) {}
}
