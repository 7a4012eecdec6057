package io.gpuquant.ptx;

/** How an exact result becomes one that a float format has. */
enum Rounding {
    NEAREST_EVEN,
    /** To nearest, halfway cases away from zero. */
    NEAREST_AWAY,
    TOWARD_ZERO,
    DOWN,
    UP;

    /** The rounding of a modifier such as {@code rn}. */
    static Rounding named(String modifier) {
        return switch (modifier) {
            case "rn" -> NEAREST_EVEN;
            case "rna" -> NEAREST_AWAY;
            case "rz" -> TOWARD_ZERO;
            case "rm" -> DOWN;
            case "rp" -> UP;
            default -> throw new IllegalArgumentException(modifier);
        };
    }

    /** Whether this direction increases the magnitude of a result that lies strictly between two values. */
    boolean isAwayFromZero(boolean negative) {
        return this == (negative ? DOWN : UP);
    }
}
