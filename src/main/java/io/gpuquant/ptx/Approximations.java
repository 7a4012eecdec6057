package io.gpuquant.ptx;

import java.util.Locale;
import java.util.function.DoubleUnaryOperator;

/**
 * The {@code .approx} operations. They are rounded correctly here, to float32; with perturbation each result errs by a
 * pseudo-random share of the bound that the PTX specification gives, so that a kernel that needs more than the
 * specification promises is found out.
 */
final class Approximations {

    /** A function and its error bound: relative, or absolute where a result is smaller than one. */
    private enum Function {
        EX2(Approximations::exp2, 0x1p-22, false),
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
            case EX2 -> a -> FloatBits.of((float) exp2(FloatBits.value(a)));
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
     * Two to a power, for an argument of float32 precision: a split into integer and fraction, and the Taylor polynomial
     * of degree 9 of {@code exp} on the fraction, whose remainder on [-ln 2/2, ln 2/2] is below 1e-11. {@link Math#pow}
     * would cost ten times as much, and softmax lives of this function.
     */
    private static double exp2(double x) {
        if (!(x > -1075)) {
            return Double.isNaN(x) ? x : 0;
        }
        if (x > 1024) {
            return Double.POSITIVE_INFINITY;
        }
        double whole = Math.rint(x);
        double t = (x - whole) * LN_2;
        double polynomial = 1 / 362880.0;
        polynomial = polynomial * t + 1 / 40320.0;
        polynomial = polynomial * t + 1 / 5040.0;
        polynomial = polynomial * t + 1 / 720.0;
        polynomial = polynomial * t + 1 / 120.0;
        polynomial = polynomial * t + 1 / 24.0;
        polynomial = polynomial * t + 1 / 6.0;
        polynomial = polynomial * t + 0.5;
        polynomial = polynomial * t + 1;
        polynomial = polynomial * t + 1;
        int exponent = (int) whole;
        return exponent >= Double.MIN_EXPONENT && exponent <= Double.MAX_EXPONENT
                ? polynomial * Double.longBitsToDouble((long) (exponent + Double.MAX_EXPONENT) << 52)
                : Math.scalb(polynomial, exponent);
    }
}
