package io.gpuquant.kernels.selftest;

import io.gpuquant.tensor.DType;

/** How far an element may be from what it should be. */
interface Tolerance {

    /** Not at all: the bits must be equal. */
    Tolerance NONE = (element, expected) -> 0;

    /** The largest deviation that is allowed; zero where the bits must be equal. */
    double allowed(int element, double expected);

    /**
     * A share of the value, a constant, and one unit in the last place of the element type, because two values that are
     * close may lie on either side of where it rounds.
     */
    static Tolerance of(double relative, double absolute, DType dtype) {
        return (element, expected) ->
                relative * Math.abs(expected) + absolute + unitInTheLastPlace(dtype, Math.abs(expected));
    }

    private static double unitInTheLastPlace(DType dtype, double magnitude) {
        return switch (dtype) {
            case F16 -> Math.max(magnitude * 0x1p-10, 0x1p-24);
            case BF16 -> Math.max(magnitude * 0x1p-7, 0x1p-133);
            default -> Math.max(magnitude * 0x1p-23, 0x1p-149);
        };
    }
}
