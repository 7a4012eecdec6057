package io.gpuquant.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.kernels.QuantizationGrid.Search;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RoundToNearestTest {

    private static StageLab lab;

    @BeforeAll
    static void open() {
        lab = StageLab.fast(2);
    }

    @AfterAll
    static void close() {
        lab.close();
    }

    @ParameterizedTest
    @CsvSource({
        // bits, symmetric, smallest zero, search, group size, input features
        "2, true, 0, MIN_MAX, -1, 333",
        "2, false, 1, MSE, 32, 224",
        "3, false, 0, MSE, 64, 192",
        "3, true, 0, MIN_MAX, 192, 384",
        "4, true, 0, MSE, -1, 200",
        "4, false, 1, MIN_MAX, 128, 256",
        "8, false, 0, MIN_MAX, 32, 224",
        "8, true, 0, MSE, 64, 192",
        "4, true, 0, MIN_MAX, 1, 40"
    })
    void takesTheNearestPointOfEachGroupsGrid(
            int bits, boolean symmetric, int smallestZero, Search search, int groupSize, int in) {
        QuantizationGrid rule = new QuantizationGrid(bits, symmetric, smallestZero, search);
        SyntheticStage stage = SyntheticStage.of(20, in, 1, 31, 33);

        StageOutcome outcome = lab.run(stage, on -> new RoundToNearest(on, rule, groupSize));

        int size = groupSize == -1 ? in : groupSize;
        assertThat(outcome.groupIndex())
                .isEqualTo(IntStream.range(0, in).map(i -> i / size).toArray());
        Follower follower = new Follower(outcome, rule);
        for (int row = 0; row < stage.rows(); row++) {
            for (int first = 0; first < in; first += size) {
                int start = row * in + first;
                ReferenceGrid grid =
                        follower.grid(row, first / size, Arrays.copyOfRange(stage.exactWeights(), start, start + size));
                for (int feature = first; feature < first + size; feature++) {
                    follower.code(row, feature, grid, stage.weight(row, feature));
                }
            }
        }
        assertThat(follower.tipped().cardinality()).isLessThanOrEqualTo(4);
        requireErrorsOfWeights(stage, outcome);
    }

    private static void requireErrorsOfWeights(SyntheticStage stage, StageOutcome outcome) {
        double[] errors = outcome.errors(stage);
        double[] weights = stage.exactWeights();
        int first = 0;
        for (int i = 0; i < stage.outputs().size(); i++) {
            int end = first + stage.outputs().get(i) * stage.in();
            double error =
                    squares(Arrays.copyOfRange(errors, first, end)) / squares(Arrays.copyOfRange(weights, first, end));
            LinearReport report = outcome.reports().get(i);
            assertThat(report.error()).isCloseTo(error, withinPercentage(1e-4));
            assertThat(report).isEqualTo(new LinearReport("linear." + i, "rtn", report.error(), 0, 0, ""));
            first = end;
        }
        assertThat(outcome.reports()).hasSize(stage.outputs().size());
    }

    private static double squares(double... values) {
        return Arrays.stream(values).map(value -> value * value).sum();
    }

    @Test
    void losesNothingOfLinearsOfZeros() {
        SyntheticStage random = SyntheticStage.of(21, 64, 3);
        SyntheticStage stage = new SyntheticStage(random.outputs(), 64, new float[3 * 64], random.gram());
        QuantizationGrid rule = new QuantizationGrid(4, false, 1, Search.MSE);

        StageOutcome outcome = lab.run(stage, on -> new RoundToNearest(on, rule, 32));

        assertThat(outcome.errors(stage)).containsOnly(0);
        assertThat(outcome.reports()).extracting(LinearReport::error).containsExactly(0.0);
    }

    @Test
    void needsNoData() {
        RoundToNearest method = new RoundToNearest(lab.device(), new QuantizationGrid(4, true, 0, Search.MIN_MAX), 128);

        assertThat(method.needsGram()).isFalse();
    }
}
