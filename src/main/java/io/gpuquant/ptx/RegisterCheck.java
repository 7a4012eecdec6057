package io.gpuquant.ptx;

import java.util.Arrays;

/** Which lanes of which registers hold a value, to find reads of registers that were never written. */
final class RegisterCheck {

    private final RegisterLayout layout;
    private final int[] words;
    private final int[] longs;
    private final int[] predicates;

    RegisterCheck(RegisterLayout layout) {
        this.layout = layout;
        words = new int[layout.words()];
        longs = new int[layout.longs()];
        predicates = new int[layout.predicates()];
    }

    void reset() {
        Arrays.fill(words, 0);
        Arrays.fill(longs, 0);
        Arrays.fill(predicates, 0);
        layout.wordConstants().keySet().forEach(register -> words[register] = Operation.ALL_LANES);
        layout.specials().keySet().forEach(register -> words[register] = Operation.ALL_LANES);
        layout.longConstants().keySet().forEach(register -> longs[register] = Operation.ALL_LANES);
        layout.predicateConstants().keySet().forEach(register -> predicates[register] = Operation.ALL_LANES);
    }

    void beforeGuard(Instruction instruction, int mask) {
        if (instruction.guard() >= 0) {
            requireWritten(predicates[instruction.guard()], mask, "the guard of");
        }
    }

    void before(Instruction instruction, int mask) {
        Instruction.RegisterUse uses = instruction.uses();
        for (int register : uses.wordsRead()) {
            requireWritten(words[register], mask, "a 32-bit register read by");
        }
        for (int register : uses.longsRead()) {
            requireWritten(longs[register], mask, "a 64-bit register read by");
        }
        for (int register : uses.predicatesRead()) {
            requireWritten(predicates[register], mask, "a predicate read by");
        }
    }

    void after(Instruction instruction, int mask) {
        Instruction.RegisterUse uses = instruction.uses();
        for (int register : uses.wordsWritten()) {
            words[register] |= mask;
        }
        for (int register : uses.longsWritten()) {
            longs[register] |= mask;
        }
        for (int register : uses.predicatesWritten()) {
            predicates[register] |= mask;
        }
    }

    private static void requireWritten(int written, int mask, String what) {
        int missing = mask & ~written;
        if (missing != 0) {
            throw new LaneFault(
                    Integer.numberOfTrailingZeros(missing),
                    "uninitialised register: " + what + " this was never written");
        }
    }
}
