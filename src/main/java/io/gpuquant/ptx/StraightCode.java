package io.gpuquant.ptx;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** The stretches of a kernel: where they begin, and those that have been executed often enough to be compiled. */
final class StraightCode {

    /** Executions after which a stretch is worth a class of its own. */
    private static final int OFTEN = 256;

    private final Instruction[] code;

    /** Lengths of the stretches that begin at each instruction; 0 where none does. */
    private final int[] lengths;

    /** Executions so far. Threads may lose some to one another, which only delays the compilation. */
    private final int[] executions;

    private final @Nullable Stretch[] compiled;

    StraightCode(Instruction[] code) {
        this.code = code;
        lengths = lengths(code);
        executions = new int[code.length];
        compiled = new Stretch[code.length];
    }

    /** The compiled stretch that begins here, or null. */
    @Nullable
    Stretch at(int instruction) {
        if (lengths[instruction] == 0) {
            return null;
        }
        Stretch stretch = compiled[instruction];
        return stretch != null ? stretch : count(instruction);
    }

    private @Nullable Stretch count(int first) {
        if (++executions[first] < OFTEN) {
            return null;
        }
        synchronized (compiled) {
            Stretch stretch = compiled[first];
            if (stretch == null) {
                stretch = Stretch.of(List.of(Arrays.copyOfRange(code, first, first + lengths[first])));
                compiled[first] = stretch;
            }
            return stretch;
        }
    }

    private static int[] lengths(Instruction[] code) {
        boolean[] isTarget = targets(code);
        int[] lengths = new int[code.length];
        int first = 0;
        while (first < code.length) {
            int end = first;
            while (end < code.length
                    && code[end].kind() == Instruction.Kind.LANES
                    && end - first < Stretch.MOST
                    && (end == first || !isTarget[end])) {
                end++;
            }
            if (end - first > 1) {
                lengths[first] = end - first;
            }
            first = Math.max(end, first + 1);
        }
        return lengths;
    }

    private static boolean[] targets(Instruction[] code) {
        boolean[] isTarget = new boolean[code.length];
        IntStream.range(0, code.length)
                .map(i -> code[i].target())
                .filter(target -> target >= 0 && target < code.length)
                .forEach(target -> isTarget[target] = true);
        return isTarget;
    }
}
