package io.gpuquant.ptx;

import java.util.Map;

/** Which lanes of which registers hold a value, to find reads of registers that were never written. */
final class RegisterCheck {

    /** Lanes by the number of the register, see {@link RegisterUse}. */
    private final int[] written;

    /** What {@link #written} is before the first instruction. */
    private final int[] prefilled;

    private final Map<Integer, String> names;

    RegisterCheck(RegisterLayout layout) {
        names = layout.names();
        prefilled = new int[RegisterUse.numbers(layout)];
        layout.wordConstants().keySet().forEach(index -> prefilled[RegisterUse.word(index)] = Operation.ALL_LANES);
        layout.specials().keySet().forEach(index -> prefilled[RegisterUse.word(index)] = Operation.ALL_LANES);
        layout.longConstants().keySet().forEach(index -> prefilled[RegisterUse.wide(index)] = Operation.ALL_LANES);
        layout.predicateConstants()
                .keySet()
                .forEach(index -> prefilled[RegisterUse.predicate(index)] = Operation.ALL_LANES);
        written = prefilled.clone();
    }

    void reset() {
        System.arraycopy(prefilled, 0, written, 0, written.length);
    }

    void beforeGuard(int guard, int mask) {
        requireWritten(RegisterUse.predicate(guard), mask);
    }

    void before(Instruction instruction, int mask) {
        for (int register : instruction.uses().read()) {
            if ((mask & ~written[register]) != 0) {
                requireWritten(register, mask);
            }
        }
    }

    void after(Instruction instruction, int mask) {
        for (int register : instruction.uses().written()) {
            written[register] |= mask;
        }
    }

    private void requireWritten(int register, int mask) {
        int missing = mask & ~written[register];
        if (missing != 0) {
            throw new LaneFault(
                    Integer.numberOfTrailingZeros(missing), "reads the uninitialised register " + names.get(register));
        }
    }
}
