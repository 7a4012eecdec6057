package io.gpuquant.ptx;

/**
 * What an instruction does to the active lanes of a warp. Operands are indices into the register arrays of {@link Warp},
 * fixed when the kernel was decoded. An abstract class rather than an interface because the interpreter calls it once per
 * instruction, and a virtual call is cheaper than an interface call.
 */
abstract class Operation {

    /** Mask of a warp with all 32 lanes active, which is the case worth a loop of its own. */
    static final int ALL_LANES = -1;

    static final int LANES = 32;

    /**
     * Executes for the lanes of {@code mask}, which is never empty.
     *
     * @throws LaneFault when a lane does what it must not
     */
    abstract void execute(Warp warp, int mask);
}
