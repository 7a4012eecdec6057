package io.gpuquant.ptx;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;

class ApproximationsTest {

    /** A function, the bound that the PTX specification gives for its error, and whether that is absolute below one. */
    private record Bound(DoubleUnaryOperator exact, double error, boolean absolute) {}

    private static final Map<String, Bound> BOUNDS = new HashMap<>();

    static {
        BOUNDS.put("ex2", new Bound(x -> Math.pow(2, x), 0x1p-22, false));
        BOUNDS.put("lg2", new Bound(x -> Math.log(x) / Math.log(2), 0x1p-22, true));
        BOUNDS.put("rcp", new Bound(x -> 1 / x, 0x1p-23, false));
        BOUNDS.put("sqrt", new Bound(Math::sqrt, 0x1p-23, false));
        BOUNDS.put("rsqrt", new Bound(x -> 1 / Math.sqrt(x), Math.pow(2, -22.9), false));
        BOUNDS.put("tanh", new Bound(Math::tanh, 0x1p-11, false));
        BOUNDS.put("sin", new Bound(Math::sin, Math.pow(2, -20.5), true));
        BOUNDS.put("cos", new Bound(Math::cos, Math.pow(2, -20.5), true));
    }

    private static List<Float> inputs() {
        Random random = new Random(4);
        List<Float> inputs = new ArrayList<>();
        for (int i = 0; i < 2000; i++) {
            inputs.add((float) (random.nextDouble() * 3 + 1e-3));
        }
        return inputs;
    }

    private static double relativeError(Bound bound, double result, double exact) {
        double scale = bound.absolute() ? Math.max(1, Math.abs(exact)) : Math.abs(exact);
        return Math.abs(result - exact) / scale;
    }

    @Test
    void areRoundedCorrectlyUnlessPerturbed() {
        BOUNDS.forEach((opcode, bound) -> {
            if (opcode.equals("ex2")) {
                return;
            }
            LaneFunctions.Int1 function = Approximations.of(opcode, MachineOptions.checked());
            for (float input : inputs()) {
                float result = Float.intBitsToFloat(function.apply(Float.floatToRawIntBits(input)));
                double exact = bound.exact().applyAsDouble(input);
                assertThat(Math.abs(result - exact))
                        .as("%s(%s)", opcode, input)
                        .isLessThanOrEqualTo(0.5001 * Math.ulp((float) exact));
            }
        });
    }

    @Test
    void powersOfTwoErrByLessThanAUnitInTheLastPlace() {
        LaneFunctions.Int1 ex2 = Approximations.of("ex2", MachineOptions.checked());
        Random random = new Random(7);
        for (int i = 0; i < 100_000; i++) {
            float input = (float) (random.nextDouble() * 277.9 - 150);
            double exact = Math.pow(2, input);
            float result = Float.intBitsToFloat(ex2.apply(Float.floatToRawIntBits(input)));
            assertThat(Math.abs(result - exact))
                    .as("ex2(%s)", input)
                    .isLessThan(Math.max(exact * Math.pow(2, -23.6), Float.MIN_VALUE));
        }
    }

    @Test
    void powersOfTwoAreExactForWholeNumbersAndAtTheEnds() {
        LaneFunctions.Int1 ex2 = Approximations.of("ex2", MachineOptions.checked());
        for (int whole = -149; whole <= 127; whole++) {
            assertThat(ex2.apply(Float.floatToRawIntBits(whole)))
                    .as("ex2(%s)", whole)
                    .isEqualTo(Float.floatToRawIntBits((float) Math.pow(2, whole)));
        }
        for (float large : new float[] {128, 200, 1e9f, Float.MAX_VALUE, Float.POSITIVE_INFINITY}) {
            assertThat(ex2.apply(Float.floatToRawIntBits(large)))
                    .as("ex2(%s)", large)
                    .isEqualTo(0x7f800000);
            float small = Math.min(-large, -151);
            assertThat(ex2.apply(Float.floatToRawIntBits(small)))
                    .as("ex2(%s)", small)
                    .isZero();
        }
        assertThat(Float.intBitsToFloat(ex2.apply(FloatBits.NAN))).isNaN();
    }

    @Test
    void errByUpToTheSpecifiedBoundWhenPerturbed() {
        BOUNDS.forEach((opcode, bound) -> {
            MachineOptions options = MachineOptions.checked().withPerturbation();
            LaneFunctions.Int1 function = Approximations.of(opcode, options);
            double largest = 0;
            for (float input : inputs()) {
                float result = Float.intBitsToFloat(function.apply(Float.floatToRawIntBits(input)));
                double exact = bound.exact().applyAsDouble(input);
                double rounding = Math.ulp((float) exact) / 2;
                double error = relativeError(bound, result, exact);
                assertThat(error)
                        .as("%s(%s)", opcode, input)
                        .isLessThanOrEqualTo(bound.error() + rounding / (bound.absolute() ? 1 : Math.abs(exact)));
                largest = Math.max(largest, error);
            }
            assertThat(largest).as(opcode).isGreaterThan(bound.error() / 2);
        });
    }

    @Test
    void perturbationDependsOnTheSeedAndOnNothingElse() {
        MachineOptions options = MachineOptions.checked().withPerturbation();
        int input = Float.floatToRawIntBits(0.7f);
        int first = Approximations.of("tanh", options.withSeed(1)).apply(input);
        assertThat(Approximations.of("tanh", options.withSeed(1)).apply(input)).isEqualTo(first);
        assertThat(Approximations.of("tanh", options.withSeed(2)).apply(input)).isNotEqualTo(first);
    }

    @Test
    void perturbationLeavesSpecialValues() {
        MachineOptions options = MachineOptions.checked().withPerturbation();
        assertThat(Approximations.of("rcp", options).apply(0)).isEqualTo(0x7f800000);
        assertThat(Approximations.of("lg2", options).apply(0)).isEqualTo(0xff800000);
        assertThat(Float.isNaN(
                        Float.intBitsToFloat(Approximations.of("sqrt", options).apply(0xbf800000))))
                .isTrue();
    }

    @Test
    void quotientsErrByUpToTwoUlpsWhenPerturbed() {
        LaneFunctions.Int2 exact = Approximations.division(MachineOptions.checked());
        LaneFunctions.Int2 perturbed =
                Approximations.division(MachineOptions.checked().withPerturbation());
        int different = 0;
        for (float input : inputs()) {
            int a = Float.floatToRawIntBits(input);
            int b = Float.floatToRawIntBits(3f);
            assertThat(Float.intBitsToFloat(exact.apply(a, b))).isEqualTo(input / 3);
            int off = Math.abs(perturbed.apply(a, b) - exact.apply(a, b));
            assertThat(off).isLessThanOrEqualTo(3);
            different += off > 0 ? 1 : 0;
        }
        assertThat(different).isGreaterThan(100);
    }
}
