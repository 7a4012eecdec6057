package io.gpuquant.ptx;

import java.util.Locale;
import java.util.function.DoubleUnaryOperator;

/**
 * The {@code .approx} operations. They are rounded correctly here, to float32, but for {@code ex2}, which errs by less than
 * a unit in the last place; with perturbation each result errs by a pseudo-random share of the bound that the PTX specification gives, so that a kernel that needs more than the
 * specification promises is found out.
 */
final class Approximations {

    /** A function and its error bound: relative, or absolute where a result is smaller than one. */
    private enum Function {
        EX2(x -> Math.pow(2, x), 0x1p-22, false),
        LG2(Approximations::log2, 0x1p-22, true),
        RCP(x -> 1 / x, 0x1p-23, false),
        SQRT(Math::sqrt, 0x1p-23, false),
        RSQRT(x -> 1 / Math.sqrt(x), 0x1.1p-23, false),
        TANH(Math::tanh, 0x1p-11, false),
        SIN(Math::sin, 0x1.1p-21, true),
        COS(Math::cos, 0x1.1p-21, true);

        private final DoubleUnaryOperator exact;
        private final double bound;
        private final boolean absolute;

        Function(DoubleUnaryOperator exact, double bound, boolean absolute) {
            this.exact = exact;
            this.bound = bound;
            this.absolute = absolute;
        }

        /** A result that errs, for an input and a seed. */
        private float perturbed(int input, long seed) {
            double result = exact.applyAsDouble(FloatBits.value(input));
            if (!Double.isFinite(result)) {
                return (float) result;
            }
            double error = bound * share(input, seed);
            return (float) (result + error * (absolute ? Math.max(1, Math.abs(result)) : result));
        }
    }

    private record Perturbed(Function function, long seed) {}

    private record PerturbedDivision(long seed) {}

    /** Relative bound that keeps {@code div.full} and {@code div.approx} within two units in the last place. */
    private static final double DIVISION_BOUND = 0x1p-23;

    /** Beyond this, powers of two are zero or infinite in float32. */
    private static final float EXP2_LIMIT = 200;

    /** Added to a small number, it rounds that to a whole one. */
    private static final float TO_WHOLE = 0x1.8p23f;

    private static final double LN_2 = 0.6931471805599453;

    private Approximations() {}

    /** The function of an opcode. */
    static LaneFunctions.Int1 of(String opcode, MachineOptions options) {
        Function function = Function.valueOf(opcode.toUpperCase(Locale.ROOT));
        if (options.perturbation()) {
            long seed = options.seed();
            return LaneFunctions.shared(
                    new Perturbed(function, seed), () -> a -> FloatBits.of(function.perturbed(a, seed)));
        }
        // One lambda per function, not one that captures it, so that each gets loops of its own.
        return switch (function) {
            case EX2 -> a -> FloatBits.of(exp2(FloatBits.value(a)));
            case LG2 -> a -> FloatBits.of((float) log2(FloatBits.value(a)));
            case RCP -> a -> FloatBits.of(1 / FloatBits.value(a));
            case SQRT -> a -> FloatBits.of((float) Math.sqrt(FloatBits.value(a)));
            case RSQRT -> a -> FloatBits.of((float) (1 / Math.sqrt(FloatBits.value(a))));
            case TANH -> a -> FloatBits.of((float) Math.tanh(FloatBits.value(a)));
            case SIN -> a -> FloatBits.of((float) Math.sin(FloatBits.value(a)));
            case COS -> a -> FloatBits.of((float) Math.cos(FloatBits.value(a)));
        };
    }

    /** {@code div.full} and {@code div.approx}. */
    static LaneFunctions.Int2 division(MachineOptions options) {
        if (!options.perturbation()) {
            return (a, b) -> FloatBits.of(FloatBits.value(a) / FloatBits.value(b));
        }
        long seed = options.seed();
        return LaneFunctions.shared(new PerturbedDivision(seed), () -> (a, b) -> {
            double exact = (double) FloatBits.value(a) / FloatBits.value(b);
            return FloatBits.of((float) (exact * (1 + DIVISION_BOUND * share(a * 31 + b, seed))));
        });
    }

    /** A number in (-1, 1) that depends on the input and the seed only. */
    private static double share(int input, long seed) {
        long mixed = (input * 0x9e3779b97f4a7c15L ^ seed * 0xbf58476d1ce4e5b9L) * 0x94d049bb133111ebL;
        return (mixed ^ mixed >>> 29) / (double) Long.MAX_VALUE;
    }

    private static double log2(double x) {
        return Math.log(x) / LN_2;
    }

    /**
     * Two to a power with a relative error below 2^-23.6, and below one unit in the last place where the result is
     * subnormal; exact for whole numbers. {@link Math#pow} would cost ten times as much, and softmax lives of this function: so
     * it has neither branches nor conversions, and HotSpot makes vectors of it.
     *
     * <p>The argument is split into a whole number and a rest in [-1/2, 1/2], by adding a number so large that the last place
     * of the sum is the ones. The rest goes through the Taylor polynomial of degree 7, whose remainder is below 2^-27. The
     * power of two is multiplied in two halves, since one alone may be out of range where the result is not.
     */
    static float exp2(float x) {
        float bounded = Math.max(-EXP2_LIMIT, Math.min(EXP2_LIMIT, x));
        float shifted = bounded + TO_WHOLE;
        float t = bounded - (shifted - TO_WHOLE);
        float polynomial = 1.5252734e-5f;
        polynomial = Math.fma(polynomial, t, 1.5403530e-4f);
        polynomial = Math.fma(polynomial, t, 1.3333558e-3f);
        polynomial = Math.fma(polynomial, t, 9.6181291e-3f);
        polynomial = Math.fma(polynomial, t, 5.5504109e-2f);
        polynomial = Math.fma(polynomial, t, 2.4022651e-1f);
        polynomial = Math.fma(polynomial, t, 6.9314718e-1f);
        polynomial = Math.fma(polynomial, t, 1);
        int exponent = Float.floatToRawIntBits(shifted) - Float.floatToRawIntBits(TO_WHOLE);
        int half = exponent >> 1;
        return polynomial * powerOfTwo(half) * powerOfTwo(exponent - half);
    }

    private static float powerOfTwo(int exponent) {
        return Float.intBitsToFloat(exponent + Float.MAX_EXPONENT << 23);
    }
}
