package io.gpuquant.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.withinPercentage;

import io.gpuquant.InputException;
import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.kernels.QuantizationGrid.Search;
import io.gpuquant.quantize.GptqOptions.Ordering;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Gram matrices on which a Cholesky factorization fails or nearly fails. */
class DampingTest {

    private static final QuantizationGrid GRID = new QuantizationGrid(4, true, 0, Search.MIN_MAX);
    private static final int IN = 192;

    private static StageLab lab;

    @BeforeAll
    static void open() {
        lab = StageLab.fast(2);
    }

    @AfterAll
    static void close() {
        lab.close();
    }

    private static GptqOptions options(double damping) {
        return new GptqOptions(GRID, 64, Ordering.GROUP_AWARE, false, damping);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 100})
    void takesFewerTokensThanFeatures(int tokens) {
        SyntheticStage stage = SyntheticStage.ofTokens(3, tokens, IN, 20, 13);

        StageOutcome outcome = lab.gptq(stage, options(0.05));

        requireReports(outcome, "gptq", 0.05, 0, "");
        requireDecisionsOfTheTextbook(stage, outcome, options(0.05), 0.05);
    }

    @Test
    void raisesDampingUntilTheHessianIsPositiveDefinite() {
        SyntheticStage stage = Indefinite.by(0.25, SyntheticStage.of(4, IN, 20, 13));

        StageOutcome outcome = lab.gptq(stage, options(0.05));

        requireReports(outcome, "gptq", 0.4, 0, "damping was raised to 0.4, because the Hessian is nearly singular");
        requireDecisionsOfTheTextbook(stage, outcome, options(0.05), 0.4);
    }

    @Test
    void neverDampsByTheWholeMeanDiagonal() {
        SyntheticStage stage = Indefinite.by(0.45, SyntheticStage.of(4, IN, 20, 13));

        StageOutcome outcome = lab.gptq(stage, options(0.6));

        requireReports(outcome, "gptq", 0.99, 0, "damping was raised to 0.99, because the Hessian is nearly singular");
    }

    @Test
    void factorsInFloat64WhatFloat32CannotTellFromSingular() {
        // Whole numbers are exact in float32, so this is a Gram matrix of rank 60, damped by a few units in the last
        // place.
        SyntheticStage stage = wholeNumbers(0);
        double damping = 5e-7;

        StageOutcome outcome = lab.gptq(stage, options(damping));

        requireReports(
                outcome,
                "gptq",
                damping,
                0,
                "the Hessian was factored in float64, because float32 cannot tell it from a singular one");
        ReferenceGptq.Result textbook =
                ReferenceGptq.quantize(stage, damping, ReferenceScheme.of(options(damping), stage));
        assertThat(sum(outcome.losses(stage)))
                .isCloseTo(sum(stage.weightedNorms(textbook.errors())), withinPercentage(10));
    }

    @Test
    void roundsToNearestWhereNoDampingHelps() {
        SyntheticStage stage = wholeNumbers(-1);

        StageOutcome outcome = lab.gptq(stage, options(1e-5));

        requireReports(
                outcome,
                "rtn",
                0,
                0,
                "its Hessian is not positive definite, not even with damping 1.6E-4; rounded to nearest");
        requireNearest(stage, outcome);
        // The matrix is as good as a Gram matrix for telling what is lost.
        double[] losses = outcome.losses(stage);
        double[] norms = stage.weightedNorms(stage.exactWeights());
        assertThat(outcome.reports().getFirst().error())
                .isCloseTo(sum(Arrays.copyOf(losses, 20)) / sum(Arrays.copyOf(norms, 20)), withinPercentage(0.01));
    }

    @Test
    void reportsTheErrorOfWeightsWhereTheMatrixMeasuresNothing() {
        SyntheticStage stage = Indefinite.by(30, SyntheticStage.of(4, IN, 20, 13));

        StageOutcome outcome = lab.gptq(stage, options(0.05));

        requireNearest(stage, outcome);
        requireErrorOfWeights(stage, outcome);
    }

    /** What a damaged matrix holds beside the diagonal. */
    private enum Damage {
        NAN(Float.NaN),
        INFINITY(Float.POSITIVE_INFINITY),
        NEGATIVE_INFINITY(Float.NEGATIVE_INFINITY),
        HUGE(Float.MAX_VALUE);

        private final float value;

        Damage(float value) {
            this.value = value;
        }
    }

    @ParameterizedTest
    @EnumSource
    void roundsToNearestWhereAnEntryBesideTheDiagonalIsDamaged(Damage damage) {
        SyntheticStage whole = SyntheticStage.of(5, IN, 20, 13);
        float[] gram = whole.gram().clone();
        gram[10 * IN + 150] = damage.value;
        SyntheticStage stage = whole.withGram(gram);

        StageOutcome outcome = lab.gptq(stage, options(0.05));

        requireReports(
                outcome,
                "rtn",
                0,
                0,
                "its Hessian is not positive definite, not even with damping 0.8; rounded to nearest");
        requireNearest(stage, outcome);
        requireErrorOfWeights(stage, outcome);
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY})
    void refusesInputsThatAreNotFinite(float value) {
        SyntheticStage whole = SyntheticStage.of(5, IN, 20, 13);
        float[] gram = whole.gram().clone();
        gram[17 * IN + 17] = value;

        assertThatThrownBy(() -> lab.gptq(whole.withGram(gram), options(0.05)))
                .isInstanceOf(InputException.class)
                .hasMessage(
                        "input feature 17 of linear.0 is not a finite number for some token of the calibration text;"
                                + " the checkpoint is damaged, or its activations exceed the range of its type");
    }

    @ParameterizedTest
    @EnumSource
    void roundsDeadFeaturesAndLeavesTheOthersAlone(Ordering ordering) {
        int[] dead = {0, 64, 65, 130, 191};
        SyntheticStage stage = SyntheticStage.of(6, IN, 20, 13).withDead(dead);
        GptqOptions options = new GptqOptions(GRID, 64, ordering, false, 0.05);

        StageOutcome outcome = lab.gptq(stage, options);

        requireReports(outcome, "gptq", 0.05, dead.length, "");
        requireDecisionsOfTheTextbook(stage, outcome, options, 0.05);
        for (int feature : dead) {
            for (int row = 0; row < stage.rows(); row++) {
                int group = outcome.groupIndex()[feature];
                ReferenceGrid grid =
                        new ReferenceGrid(outcome.scale(group, row), outcome.zero(group, row), GRID.largestCode());
                assertThat(outcome.code(row, feature)).isEqualTo(grid.code(stage.weight(row, feature)));
            }
        }
    }

    @Test
    void quantizesWhatHasOneLiveFeature() {
        int[] dead = IntStream.range(0, IN).filter(i -> i != 77).toArray();
        SyntheticStage stage = SyntheticStage.of(6, IN, 20, 13).withDead(dead);

        StageOutcome outcome = lab.gptq(stage, options(0.05));

        requireReports(outcome, "gptq", 0.05, IN - 1, "");
        requireDecisionsOfTheTextbook(stage, outcome, options(0.05), 0.05);
    }

    @Test
    void roundsToNearestWhatNeverHasAnInput() {
        SyntheticStage stage = SyntheticStage.of(6, IN, 20, 13).withGram(new float[IN * IN]);

        StageOutcome outcome = lab.gptq(stage, options(0.05));

        requireReports(outcome, "rtn", 0, IN, "all its inputs are zero for the calibration text; rounded to nearest");
        requireNearest(stage, outcome);
        requireErrorOfWeights(stage, outcome);
    }

    @Test
    void roundsLinearsOfZeros() {
        SyntheticStage random = SyntheticStage.of(6, IN, 20, 13);
        SyntheticStage stage = new SyntheticStage(random.outputs(), IN, new float[33 * IN], random.gram());

        StageOutcome outcome = lab.gptq(stage, options(0.05));

        requireReports(outcome, "gptq", 0.05, 0, "");
        assertThat(outcome.reports()).allMatch(report -> report.error() == 0);
        assertThat(outcome.errors(stage)).containsOnly(0);
    }

    /** A stage whose inputs are whole numbers, 60 tokens of them, with something added to the Gram matrix's diagonal. */
    private static SyntheticStage wholeNumbers(int added) {
        SplittableRandom random = new SplittableRandom(9);
        double[] sum = new double[IN * IN];
        for (int token = 0; token < 60; token++) {
            double[] x = random.doubles(IN, -3.5, 3.5).map(Math::rint).toArray();
            SyntheticStage.addOuterProduct(x, sum);
        }
        float[] gram = new float[sum.length];
        for (int i = 0; i < gram.length; i++) {
            gram[i] = (float) sum[i] + (i % (IN + 1) == 0 ? added : 0);
        }
        return SyntheticStage.of(9, IN, 20, 13).withGram(gram);
    }

    private static void requireReports(StageOutcome outcome, String method, double damping, int dead, String note) {
        assertThat(outcome.reports()).hasSize(2).allSatisfy(report -> {
            assertThat(report.method()).isEqualTo(method);
            assertThat(report.damping()).isEqualTo(damping);
            assertThat(report.deadFeatures()).isEqualTo(dead);
            assertThat(report.note()).isEqualTo(note);
            assertThat(report.error()).isFinite().isNotNegative();
        });
    }

    private static void requireDecisionsOfTheTextbook(
            SyntheticStage stage, StageOutcome outcome, GptqOptions options, double damping) {
        Follower follower = new Follower(outcome, GRID);
        ReferenceGptq.follow(stage, damping, ReferenceScheme.of(options, stage), follower);
        assertThat(follower.tipped().cardinality()).isLessThanOrEqualTo(3);
    }

    private static void requireNearest(SyntheticStage stage, StageOutcome outcome) {
        StageOutcome nearest = lab.run(stage, on -> new RoundToNearest(on, GRID, 64));
        assertThat(outcome).usingRecursiveComparison().ignoringFields("reports").isEqualTo(nearest);
    }

    private static void requireErrorOfWeights(SyntheticStage stage, StageOutcome outcome) {
        List<Double> expected = lab.run(stage, on -> new RoundToNearest(on, GRID, 64)).reports().stream()
                .map(LinearReport::error)
                .toList();
        assertThat(outcome.reports()).extracting(LinearReport::error).isEqualTo(expected);
    }

    private static double sum(double... values) {
        return Arrays.stream(values).sum();
    }
}
