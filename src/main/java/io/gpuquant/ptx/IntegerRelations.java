package io.gpuquant.ptx;

/** Comparisons of integers. */
final class IntegerRelations {

    private IntegerRelations() {}

    /** 32-bit integers, and 16-bit ones without sign. */
    static LaneFunctions.IntTest words(Modifiers modifiers, String relation, boolean signed) {
        return switch (relation) {
            case "eq" -> (a, b) -> a == b;
            case "ne" -> (a, b) -> a != b;
            case "lt" -> signed ? (a, b) -> a < b : (a, b) -> below(a, b);
            case "le" -> signed ? (a, b) -> a <= b : (a, b) -> !below(b, a);
            case "gt" -> signed ? (a, b) -> a > b : (a, b) -> below(b, a);
            case "ge" -> signed ? (a, b) -> a >= b : (a, b) -> !below(a, b);
            case "lo" -> (a, b) -> below(a, b);
            case "ls" -> (a, b) -> !below(b, a);
            case "hi" -> (a, b) -> below(b, a);
            case "hs" -> (a, b) -> !below(a, b);
            default -> throw modifiers.error("compares integers by a relation of floats");
        };
    }

    static LaneFunctions.IntTest signedShorts(Modifiers modifiers, String relation) {
        return switch (relation) {
            case "eq" -> (a, b) -> (short) a == (short) b;
            case "ne" -> (a, b) -> (short) a != (short) b;
            case "lt" -> (a, b) -> (short) a < (short) b;
            case "le" -> (a, b) -> (short) a <= (short) b;
            case "gt" -> (a, b) -> (short) a > (short) b;
            case "ge" -> (a, b) -> (short) a >= (short) b;
            default -> throw modifiers.error("compares signed integers by another relation");
        };
    }

    static LaneFunctions.LongTest wide(Modifiers modifiers, String relation, boolean signed) {
        return switch (relation) {
            case "eq" -> (a, b) -> a == b;
            case "ne" -> (a, b) -> a != b;
            case "lt" -> signed ? (a, b) -> a < b : (a, b) -> below(a, b);
            case "le" -> signed ? (a, b) -> a <= b : (a, b) -> !below(b, a);
            case "gt" -> signed ? (a, b) -> a > b : (a, b) -> below(b, a);
            case "ge" -> signed ? (a, b) -> a >= b : (a, b) -> !below(a, b);
            case "lo" -> (a, b) -> below(a, b);
            case "ls" -> (a, b) -> !below(b, a);
            case "hi" -> (a, b) -> below(b, a);
            case "hs" -> (a, b) -> !below(a, b);
            default -> throw modifiers.error("compares integers by a relation of floats");
        };
    }

    private static boolean below(int a, int b) {
        return a + Integer.MIN_VALUE < b + Integer.MIN_VALUE;
    }

    private static boolean below(long a, long b) {
        return a + Long.MIN_VALUE < b + Long.MIN_VALUE;
    }
}
