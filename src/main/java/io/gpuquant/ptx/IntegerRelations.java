package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import java.util.Set;

/** Comparisons of integers: plain bits for equality only, and those named for unsigned numbers for such types only. */
final class IntegerRelations {

    private static final Set<String> EQUALITY = Set.of("eq", "ne");
    private static final Set<String> UNSIGNED_NAMES = Set.of("lo", "ls", "hi", "hs");
    private static final Set<String> ORDER = Set.of("lt", "le", "gt", "ge");

    private IntegerRelations() {}

    /** A test of words or longs, as the type is wide. */
    static Object of(Modifiers modifiers, String relation, PtxType type) {
        boolean known = EQUALITY.contains(relation)
                || !type.isBits() && ORDER.contains(relation)
                || !type.isBits() && !type.isSigned() && UNSIGNED_NAMES.contains(relation);
        if (!known) {
            throw modifiers.error("compares ." + type + " by a relation that it does not have");
        }
        if (type.isWide()) {
            return wide(relation, type.isSigned());
        }
        return type == PtxType.S16 ? signedShorts(relation) : words(relation, type.isSigned());
    }

    /** 32-bit integers, and 16-bit ones without sign. */
    private static LaneFunctions.IntTest words(String relation, boolean signed) {
        return switch (relation) {
            case "eq" -> (a, b) -> a == b;
            case "ne" -> (a, b) -> a != b;
            case "lt", "lo" -> signed ? (a, b) -> a < b : (a, b) -> below(a, b);
            case "le", "ls" -> signed ? (a, b) -> a <= b : (a, b) -> !below(b, a);
            case "gt", "hi" -> signed ? (a, b) -> a > b : (a, b) -> below(b, a);
            default -> signed ? (a, b) -> a >= b : (a, b) -> !below(a, b);
        };
    }

    private static LaneFunctions.IntTest signedShorts(String relation) {
        return switch (relation) {
            case "eq" -> (a, b) -> (short) a == (short) b;
            case "ne" -> (a, b) -> (short) a != (short) b;
            case "lt" -> (a, b) -> (short) a < (short) b;
            case "le" -> (a, b) -> (short) a <= (short) b;
            case "gt" -> (a, b) -> (short) a > (short) b;
            default -> (a, b) -> (short) a >= (short) b;
        };
    }

    private static LaneFunctions.LongTest wide(String relation, boolean signed) {
        return switch (relation) {
            case "eq" -> (a, b) -> a == b;
            case "ne" -> (a, b) -> a != b;
            case "lt", "lo" -> signed ? (a, b) -> a < b : (a, b) -> below(a, b);
            case "le", "ls" -> signed ? (a, b) -> a <= b : (a, b) -> !below(b, a);
            case "gt", "hi" -> signed ? (a, b) -> a > b : (a, b) -> below(b, a);
            default -> signed ? (a, b) -> a >= b : (a, b) -> !below(a, b);
        };
    }

    private static boolean below(int a, int b) {
        return a + Integer.MIN_VALUE < b + Integer.MIN_VALUE;
    }

    private static boolean below(long a, long b) {
        return a + Long.MIN_VALUE < b + Long.MIN_VALUE;
    }
}
