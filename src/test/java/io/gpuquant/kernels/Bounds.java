package io.gpuquant.kernels;

import io.gpuquant.tensor.DType;
import java.util.function.Supplier;

/** Errors that float arithmetic may make. */
final class Bounds {

    /** Half a unit in the last place of float32, relative: what one rounded operation may err by. */
    static final double ROUNDING = 0x1p-24;

    /** What {@code ex2.approx} may err by, relative: two units in the last place. */
    static final double EX2 = 0x1p-22;

    /** What {@code lg2.approx} may err by between 1/2 and 2, absolute. */
    static final double LG2 = 0x1p-22;

    private Bounds() {}

    /** Fails unless a value is close enough to the exact one. AssertJ would cost more than the kernels do. */
    static void requireClose(float actual, double exact, double bound, Supplier<String> where) {
        if (!(Math.abs(actual - exact) <= bound) && actual != exact) {
            throw new AssertionError(where.get() + ": " + actual + " is not within " + bound + " of " + exact);
        }
    }

    /** What rounding a value to a type may change it by. */
    static double rounding(DType dtype, double value) {
        return switch (dtype) {
            case F16 -> Math.max(Math.abs(value) * 0x1p-11, 0x1p-25);
            case BF16 -> Math.max(Math.abs(value) * 0x1p-8, 0x1p-134);
            default -> Math.max(Math.abs(value) * ROUNDING, 0x1p-150);
        };
    }
}
