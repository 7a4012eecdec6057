package io.gpuquant.ptx;

import java.util.List;

/**
 * Neighbouring instructions that a whole warp executes one after another, compiled as one piece.
 *
 * <p>Between branches, most of what the interpreter does for an instruction is finding out what to do: which kind it is,
 * under which guard, which class executes it on which registers. In a stretch all of that is constant.
 */
abstract class Stretch {

    /** The most instructions of a stretch: enough to save the cost of calls, few enough for HotSpot to compile them well. */
    static final int MOST = 16;

    private final int length;

    Stretch(int length) {
        this.length = length;
    }

    /** How many instructions it stands for. */
    final int length() {
        return length;
    }

    /** Executes its instructions in a warp whose lanes are all here. */
    abstract void execute(Interpreter interpreter, Warp warp);

    /** Compiles instructions, at most {@link #MOST}, of independent lanes. */
    static Stretch of(List<Instruction> instructions) {
        return (Stretch) LoopSpecializer.single(CompiledStretch.class, instructions, instructions.size());
    }

    /** Executes one instruction, which is a constant where this is inlined. */
    static void step(Interpreter interpreter, Warp warp, Instruction instruction, int place) {
        int active = instruction.active(warp, Operation.ALL_LANES);
        if (active != 0) {
            interpreter.isAtPlace(place);
            instruction.requireOperation().execute(warp, active);
        }
    }
}
