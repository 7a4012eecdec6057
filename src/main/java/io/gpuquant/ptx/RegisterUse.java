package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import java.util.ArrayList;
import java.util.List;

/**
 * The registers that an instruction reads and writes, for the check of uninitialised reads. Registers of all kinds are
 * numbered together: three times the index among their kind, plus the kind.
 */
record RegisterUse(int[] read, int[] written) {

    private static final int KINDS = 3;

    /** Of an instruction without register operands. */
    static final RegisterUse NONE = new RegisterUse(new int[0], new int[0]);

    /** How many numbers a kernel's registers take. */
    static int numbers(RegisterLayout layout) {
        return KINDS * Math.max(layout.words(), Math.max(layout.longs(), layout.predicates()));
    }

    static int word(int index) {
        return KINDS * index;
    }

    static int wide(int index) {
        return KINDS * index + 1;
    }

    static int predicate(int index) {
        return KINDS * index + 2;
    }

    /** The number of a register that is declared with a type. */
    static int number(int index, PtxType declared) {
        if (declared == PtxType.PRED) {
            return predicate(index);
        }
        return declared.isWide() ? wide(index) : word(index);
    }

    /** Collects the registers while an instruction is decoded. */
    static final class Builder {

        private final List<Integer> read = new ArrayList<>();
        private final List<Integer> written = new ArrayList<>();

        /** Notes a read; returns the index. */
        int read(int index, PtxType declared) {
            read.add(number(index, declared));
            return index;
        }

        /** Notes a write; returns the index. */
        int write(int index, PtxType declared) {
            written.add(number(index, declared));
            return index;
        }

        RegisterUse build() {
            return new RegisterUse(array(read), array(written));
        }

        private static int[] array(List<Integer> numbers) {
            return numbers.stream().mapToInt(Integer::intValue).distinct().toArray();
        }
    }
}
