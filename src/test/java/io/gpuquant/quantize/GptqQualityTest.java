package io.gpuquant.quantize;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.kernels.QuantizationGrid.Search;
import io.gpuquant.quantize.GptqOptions.Ordering;
import java.util.Arrays;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What GPTQ and its options are for. */
class GptqQualityTest {

    private static final int IN = 256;

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
        "2, -1", "2, 32", "2, 64", "2, 128", "3, -1", "3, 32", "3, 64", "3, 128", "4, -1", "4, 32", "4, 64", "4, 128",
        "8, -1", "8, 32", "8, 64", "8, 128"
    })
    void losesLessOfEveryLinearThanRoundingToNearest(int bits, int groupSize) {
        SyntheticStage stage = SyntheticStage.of(50 + bits, IN, 33, 31);
        for (boolean symmetric : new boolean[] {true, false}) {
            QuantizationGrid grid = new QuantizationGrid(bits, symmetric, 0, Search.MIN_MAX);
            double[] nearest = lab.run(stage, on -> new RoundToNearest(on, grid, groupSize))
                    .losses(stage);
            double[] gptq = lab.gptq(stage, new GptqOptions(grid, groupSize, Ordering.GROUP_AWARE, false, 0.05))
                    .losses(stage);
            assertThat(sum(Arrays.copyOf(gptq, 33))).isLessThan(0.6 * sum(Arrays.copyOf(nearest, 33)));
            assertThat(sum(Arrays.copyOfRange(gptq, 33, 64)))
                    .isLessThan(0.6 * sum(Arrays.copyOfRange(nearest, 33, 64)));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 32, 128})
    void gainsByActOrderAndMuchOfThatByGroupAwareReordering(int groupSize) {
        double natural = error(Ordering.NATURAL, false, groupSize);
        double activation = error(Ordering.ACTIVATION, false, groupSize);
        double groupAware = error(Ordering.GROUP_AWARE, false, groupSize);
        double withStaticGroups = error(Ordering.ACTIVATION, true, groupSize);

        assertThat(activation).isLessThan(0.8 * natural);
        assertThat(withStaticGroups).isLessThan(0.8 * natural);
        assertThat(natural - groupAware).isGreaterThan(0.4 * (natural - activation));
    }

    @Test
    void ordersAsActOrderDoesWhereThereIsOneGroup() {
        assertThat(error(Ordering.GROUP_AWARE, false, -1)).isEqualTo(error(Ordering.ACTIVATION, false, -1));
    }

    @Test
    void losesLessWithSmallerGroups() {
        double[] byGroup = Stream.of(-1, 128, 32)
                .mapToDouble(groupSize -> error(Ordering.GROUP_AWARE, false, groupSize))
                .toArray();
        assertThat(byGroup[1]).isLessThan(byGroup[0]);
        assertThat(byGroup[2]).isLessThan(byGroup[1]);
    }

    /** The sum of the relative errors of a few linears. */
    private static double error(Ordering ordering, boolean staticGroups, int groupSize) {
        QuantizationGrid grid = new QuantizationGrid(3, true, 0, Search.MIN_MAX);
        GptqOptions options = new GptqOptions(grid, groupSize, ordering, staticGroups, 0.02);
        return IntStream.range(60, 63)
                .mapToObj(seed -> lab.gptq(SyntheticStage.of(seed, IN, 64), options))
                .mapToDouble(outcome -> outcome.reports().getFirst().error())
                .sum();
    }

    private static double sum(double... values) {
        return Arrays.stream(values).sum();
    }
}
