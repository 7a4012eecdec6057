package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;

/** Comparisons of floats; those ending in {@code u} hold for NaN too. */
final class FloatRelations {

    private record Flushed(Object plain) {}

    private record Half(Object plain) {}

    private FloatRelations() {}

    /** A test of words or longs, as the type is wide. */
    static Object of(Modifiers modifiers, String relation, PtxType type) {
        return switch (type) {
            case F32 -> {
                LaneFunctions.IntTest plain = singles(modifiers, relation);
                // Flushing matters to a comparison only between two subnormals, or one and zero.
                yield modifiers.take("ftz") ? flushed(plain) : plain;
            }
            case F16 -> half(singles(modifiers, relation));
            default -> doubles(modifiers, relation);
        };
    }

    private static LaneFunctions.IntTest flushed(LaneFunctions.IntTest plain) {
        return LaneFunctions.shared(
                new Flushed(plain), () -> (a, b) -> plain.test(FloatBits.flush(a), FloatBits.flush(b)));
    }

    private static LaneFunctions.IntTest half(LaneFunctions.IntTest plain) {
        return LaneFunctions.shared(
                new Half(plain),
                () -> (a, b) -> plain.test(
                        FloatBits.of(HalfArithmetic.F16.value(a)), FloatBits.of(HalfArithmetic.F16.value(b))));
    }

    private static LaneFunctions.IntTest singles(Modifiers modifiers, String relation) {
        return switch (relation) {
            case "eq" -> (a, b) -> FloatBits.value(a) == FloatBits.value(b);
            case "ne" -> (a, b) -> ordered(a, b) && FloatBits.value(a) != FloatBits.value(b);
            case "lt" -> (a, b) -> FloatBits.value(a) < FloatBits.value(b);
            case "le" -> (a, b) -> FloatBits.value(a) <= FloatBits.value(b);
            case "gt" -> (a, b) -> FloatBits.value(a) > FloatBits.value(b);
            case "ge" -> (a, b) -> FloatBits.value(a) >= FloatBits.value(b);
            case "equ" -> (a, b) -> !ordered(a, b) || FloatBits.value(a) == FloatBits.value(b);
            case "neu" -> (a, b) -> FloatBits.value(a) != FloatBits.value(b);
            case "ltu" -> (a, b) -> !(FloatBits.value(a) >= FloatBits.value(b));
            case "leu" -> (a, b) -> !(FloatBits.value(a) > FloatBits.value(b));
            case "gtu" -> (a, b) -> !(FloatBits.value(a) <= FloatBits.value(b));
            case "geu" -> (a, b) -> !(FloatBits.value(a) < FloatBits.value(b));
            case "num" -> (a, b) -> ordered(a, b);
            case "nan" -> (a, b) -> !ordered(a, b);
            default -> throw ofIntegers(modifiers);
        };
    }

    private static LaneFunctions.LongTest doubles(Modifiers modifiers, String relation) {
        return switch (relation) {
            case "eq" -> (a, b) -> FloatBits.value(a) == FloatBits.value(b);
            case "ne" -> (a, b) -> ordered(a, b) && FloatBits.value(a) != FloatBits.value(b);
            case "lt" -> (a, b) -> FloatBits.value(a) < FloatBits.value(b);
            case "le" -> (a, b) -> FloatBits.value(a) <= FloatBits.value(b);
            case "gt" -> (a, b) -> FloatBits.value(a) > FloatBits.value(b);
            case "ge" -> (a, b) -> FloatBits.value(a) >= FloatBits.value(b);
            case "equ" -> (a, b) -> !ordered(a, b) || FloatBits.value(a) == FloatBits.value(b);
            case "neu" -> (a, b) -> FloatBits.value(a) != FloatBits.value(b);
            case "ltu" -> (a, b) -> !(FloatBits.value(a) >= FloatBits.value(b));
            case "leu" -> (a, b) -> !(FloatBits.value(a) > FloatBits.value(b));
            case "gtu" -> (a, b) -> !(FloatBits.value(a) <= FloatBits.value(b));
            case "geu" -> (a, b) -> !(FloatBits.value(a) < FloatBits.value(b));
            case "num" -> (a, b) -> ordered(a, b);
            case "nan" -> (a, b) -> !ordered(a, b);
            default -> throw ofIntegers(modifiers);
        };
    }

    private static RuntimeException ofIntegers(Modifiers modifiers) {
        return modifiers.error("compares floats by a relation of integers");
    }

    private static boolean ordered(int a, int b) {
        return !Float.isNaN(FloatBits.value(a)) && !Float.isNaN(FloatBits.value(b));
    }

    private static boolean ordered(long a, long b) {
        return !Double.isNaN(FloatBits.value(a)) && !Double.isNaN(FloatBits.value(b));
    }
}
