package io.gpuquant.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.kernels.QuantizationGrid.Search;
import io.gpuquant.quantize.GptqOptions.Ordering;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * GPTQ as users get it, in float32 with kernels, against the textbook in float64: for every pair of settings there is a
 * stage for which every grid and every code is the textbook's, given the decisions before it.
 */
class GptqMethodAgreementTest {

    private static final double DAMPING = 0.02;

    /** One row of this many may have a decision that is not the textbook's. */
    private static final int MOST_TIPPED = 20;

    /** Bits, grid, group size, order and search, by index; and whether groups are static. */
    record Case(int bits, int zeros, int group, int ordering, boolean staticGroups, boolean mse, int shape) {

        private static final int[] BITS = {2, 3, 4, 8};
        private static final int[] GROUPS = {-1, 32, 64, 128, 192};
        private static final int[][] OUTPUTS = {{1, 31, 33}, {127}, {129, 1}, {33, 31, 31}, {31, 127}};

        QuantizationGrid grid() {
            return new QuantizationGrid(BITS[bits], zeros == 0, zeros == 2 ? 1 : 0, mse ? Search.MSE : Search.MIN_MAX);
        }

        int groupSize() {
            return GROUPS[group];
        }

        /** Not a multiple of 128 where the group size allows. */
        int in() {
            return switch (groupSize()) {
                case -1 -> shape % 2 == 0 ? 200 : 333;
                case 32 -> 224;
                case 64 -> 192;
                case 128 -> 256;
                default -> 384;
            };
        }

        GptqOptions options() {
            return new GptqOptions(grid(), groupSize(), Ordering.values()[ordering], staticGroups, DAMPING);
        }

        SyntheticStage stage() {
            return SyntheticStage.of(100 + shape, in(), OUTPUTS[shape]);
        }

        /** Every two settings of this case. */
        Set<List<Object>> pairs() {
            List<Object> settings = List.of(
                    "bits" + bits, "zeros" + zeros, "group" + group, "order" + ordering + staticGroups, "mse" + mse);
            Set<List<Object>> pairs = new HashSet<>();
            for (Object one : settings) {
                for (Object other : settings) {
                    if (!one.equals(other)) {
                        pairs.add(List.of(one, other));
                    }
                }
            }
            return pairs;
        }

        @Override
        public String toString() {
            return options() + " " + in() + " to " + Arrays.toString(OUTPUTS[shape]);
        }
    }

    private static final Map<Case, StageOutcome> OUTCOMES = new HashMap<>();

    private static StageLab lab;

    @BeforeAll
    static void open() {
        lab = StageLab.fast(2);
    }

    @AfterAll
    static void close() {
        OUTCOMES.clear();
        lab.close();
    }

    static Stream<Case> cases() {
        List<Case> cases = new ArrayList<>();
        for (int order = 0; order < 6; order++) {
            for (int group = 0; group < 5; group++) {
                cases.add(new Case(
                        (order + group) % 4,
                        (order + 2 * group) % 3,
                        group,
                        order % 3,
                        order >= 3,
                        (order + group / 2) % 2 == 0,
                        (order + 3 * group) % 5));
            }
        }
        return cases.stream();
    }

    /** Of a case, which is run once for everything that is to be shown of it. */
    private static StageOutcome outcome(Case each) {
        return OUTCOMES.computeIfAbsent(each, it -> lab.gptq(it.stage(), it.options()));
    }

    @Test
    void coversEveryPairOfSettings() {
        Set<List<Object>> covered = new HashSet<>();
        cases().forEach(each -> covered.addAll(each.pairs()));
        Set<List<Object>> all = new HashSet<>();
        for (int i = 0; i < 4 * 3 * 5 * 6 * 2; i++) {
            all.addAll(new Case(i % 4, i / 4 % 3, i / 12 % 5, i / 60 % 3, i / 180 % 2 == 0, i >= 360, 0).pairs());
        }

        assertThat(covered).containsAll(all);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void decidesAndLosesAsTheTextbookDoes(Case each) {
        SyntheticStage stage = each.stage();
        StageOutcome outcome = outcome(each);
        ReferenceScheme scheme = ReferenceScheme.of(each.options(), stage);
        assertThat(outcome.groupIndex()).isEqualTo(scheme.groupIndex());
        requireInRange(outcome, each.grid());

        Follower follower = new Follower(outcome, each.grid());
        ReferenceGptq.follow(stage, DAMPING, scheme, follower);
        assertThat(follower.tipped().cardinality()).isLessThanOrEqualTo(Math.max(2, stage.rows() / MOST_TIPPED));

        ReferenceGptq.Result textbook = ReferenceGptq.quantize(stage, DAMPING, scheme);
        double[] expected = stage.weightedNorms(textbook.errors());
        double[] losses = outcome.losses(stage);
        for (int row = 0; row < stage.rows(); row++) {
            if (!follower.tipped().get(row)) {
                assertThat(outcome.codesOf(row)).isEqualTo(textbook.codesOf(row));
                assertThat(losses[row]).isCloseTo(expected[row], withinPercentage(0.1));
            }
        }
        assertThat(sum(losses)).isCloseTo(sum(expected), withinPercentage(0.1));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void reportsTheErrorOfEachLinearsOutputs(Case each) {
        SyntheticStage stage = each.stage();
        StageOutcome outcome = outcome(each);

        double[] losses = outcome.losses(stage);
        double[] norms = stage.weightedNorms(stage.exactWeights());
        int first = 0;
        for (int i = 0; i < stage.outputs().size(); i++) {
            int end = first + stage.outputs().get(i);
            LinearReport report = outcome.reports().get(i);
            double error = sum(Arrays.copyOfRange(losses, first, end)) / sum(Arrays.copyOfRange(norms, first, end));
            assertThat(report.error()).isCloseTo(error, withinPercentage(0.01));
            assertThat(report).isEqualTo(new LinearReport("linear." + i, "gptq", report.error(), DAMPING, 0, ""));
            first = end;
        }
        assertThat(outcome.reports()).hasSize(stage.outputs().size());
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 40, 160})
    void decidesAsTheTextbookDoesWithMatrixProductsByKernels(int groupSize) {
        QuantizationGrid grid = new QuantizationGrid(4, false, 1, Search.MIN_MAX);
        GptqOptions options = new GptqOptions(grid, groupSize, Ordering.GROUP_AWARE, false, DAMPING);
        SyntheticStage stage = SyntheticStage.of(110, 320, 9);
        HostDevice host = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 2));
        try (StageLab kernels = new StageLab(WatchedDevice.ofKernelsOnly(host))) {
            StageOutcome outcome = kernels.gptq(stage, options);
            Follower follower = new Follower(outcome, grid);
            ReferenceGptq.follow(stage, DAMPING, ReferenceScheme.of(options, stage), follower);
            assertThat(follower.tipped().cardinality()).isLessThanOrEqualTo(2);
        }
    }

    private static void requireInRange(StageOutcome outcome, QuantizationGrid grid) {
        assertThat(IntStream.of(outcome.codes())).allMatch(code -> code <= grid.largestCode());
        int least = grid.symmetric() ? grid.middle() : grid.smallestZero();
        int most = grid.symmetric() ? grid.middle() : grid.largestCode();
        assertThat(IntStream.of(outcome.zeros())).allMatch(zero -> zero >= least && zero <= most);
    }

    private static double sum(double... values) {
        return Arrays.stream(values).sum();
    }
}
