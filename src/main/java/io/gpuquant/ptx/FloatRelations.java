package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;

/** Comparisons of floats; those ending in {@code u} hold for NaN too. */
final class FloatRelations {

    private FloatRelations() {}

    static LaneFunctions.IntTest of(Modifiers modifiers, String relation, PtxType type) {
        // Flushing matters to a comparison only between two subnormals, or one and zero.
        if (modifiers.take("ftz")) {
            LaneFunctions.IntTest plain = singles(modifiers, relation);
            return (a, b) -> plain.test(FloatBits.flush(a), FloatBits.flush(b));
        }
        return switch (type) {
            case F32 -> singles(modifiers, relation);
            case F16 -> {
                LaneFunctions.IntTest plain = singles(modifiers, relation);
                yield (a, b) -> plain.test(
                        FloatBits.of(HalfArithmetic.F16.value(a)), FloatBits.of(HalfArithmetic.F16.value(b)));
            }
            case BF16 -> {
                LaneFunctions.IntTest plain = singles(modifiers, relation);
                yield (a, b) -> plain.test(a << 16, b << 16);
            }
            default -> throw modifiers.unsupported(type);
        };
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
            default -> throw modifiers.error("compares floats by a relation of integers");
        };
    }

    static LaneFunctions.LongTest doubles(Modifiers modifiers, String relation) {
        return switch (relation) {
            case "eq" -> (a, b) -> FloatBits.value(a) == FloatBits.value(b);
            case "ne" -> (a, b) -> ordered(a, b) && FloatBits.value(a) != FloatBits.value(b);
            case "lt" -> (a, b) -> FloatBits.value(a) < FloatBits.value(b);
            case "le" -> (a, b) -> FloatBits.value(a) <= FloatBits.value(b);
            case "gt" -> (a, b) -> FloatBits.value(a) > FloatBits.value(b);
            case "ge" -> (a, b) -> FloatBits.value(a) >= FloatBits.value(b);
            case "neu" -> (a, b) -> FloatBits.value(a) != FloatBits.value(b);
            case "num" -> (a, b) -> ordered(a, b);
            case "nan" -> (a, b) -> !ordered(a, b);
            default -> throw modifiers.error("compares f64 by a relation that is not supported");
        };
    }

    private static boolean ordered(int a, int b) {
        return !Float.isNaN(FloatBits.value(a)) && !Float.isNaN(FloatBits.value(b));
    }

    private static boolean ordered(long a, long b) {
        return !Double.isNaN(FloatBits.value(a)) && !Double.isNaN(FloatBits.value(b));
    }
}
