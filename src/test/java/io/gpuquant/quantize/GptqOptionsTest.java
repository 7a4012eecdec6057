package io.gpuquant.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.kernels.QuantizationGrid.Search;
import io.gpuquant.quantize.GptqOptions.Ordering;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What callers must not ask for. What users ask for is checked where they ask, with the name of the option. */
class GptqOptionsTest {

    private static final QuantizationGrid GRID = new QuantizationGrid(4, true, 0, Search.MIN_MAX);

    @ParameterizedTest
    @ValueSource(ints = {-8, 0, 1, 5, 6, 7, 16})
    void refusesBitsThatNoFormatHas(int bits) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new QuantizationGrid(bits, true, 0, Search.MIN_MAX))
                .withMessage(bits + " bits");
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 2})
    void refusesOtherSmallestZerosThanNoneAndOne(int zero) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new QuantizationGrid(4, false, zero, Search.MIN_MAX))
                .withMessage("a smallest zero point of " + zero);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -2, -128})
    void refusesGroupsOfNothing(int groupSize) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new GptqOptions(GRID, groupSize, Ordering.NATURAL, false, 0.05))
                .withMessage("groups of " + groupSize);
    }

    @ParameterizedTest
    @ValueSource(doubles = {-0.1, 0, 1, 5, Double.NaN, Double.POSITIVE_INFINITY})
    void refusesDampingThatIsNoFraction(double damping) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new GptqOptions(GRID, 128, Ordering.NATURAL, false, damping))
                .withMessage("damping of " + damping);
    }

    @ParameterizedTest
    @EnumSource
    void refusesGroupsThatDoNotDivideTheInputFeatures(Ordering ordering) {
        SyntheticStage stage = SyntheticStage.of(30, 96, 4, 2);
        try (StageLab lab = StageLab.fast()) {
            for (int groupSize : new int[] {64, 128}) {
                String message =
                        "groups of " + groupSize + " do not divide the 96 input features of linear.0, linear.1";
                GptqOptions options = new GptqOptions(GRID, groupSize, ordering, false, 0.05);
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> lab.gptq(stage, options))
                        .withMessage(message);
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> lab.run(stage, on -> new RoundToNearest(on, GRID, groupSize)))
                        .withMessage(message);
            }
            assertThat(lab.device().memory().heldBytes()).isZero();
        }
    }

    @Test
    void refusesToWorkWithoutData() {
        try (StageLab lab = StageLab.fast();
                var weights = lab.floats("weights", 2, 32, new float[64]).buffer()) {
            GptqMethod method = new GptqMethod(
                    lab.device(), new GptqOptions(GRID, 32, Ordering.NATURAL, false, 0.05), CodeLayout.BYTES);
            StageTask task = new StageTask(List.of("q_proj"), List.of(2), StageLab.matrix(weights, 2, 32), null);

            assertThat(method.needsGram()).isTrue();
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> method.quantize(task))
                    .withMessage("GPTQ of [q_proj] without a Gram matrix");
        }
    }

    @Test
    void refusesTasksThatDoNotFit() {
        try (StageLab lab = StageLab.fast();
                var buffer = lab.floats("weights", 4, 32, new float[128]).buffer()) {
            var weights = StageLab.matrix(buffer, 4, 32);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> new StageTask(List.of("q_proj", "k_proj"), List.of(2, 1), weights, null))
                    .withMessage("weights: F32[4, 32] does not hold [q_proj, k_proj] of [2, 1] outputs");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> new StageTask(List.of("q_proj"), List.of(2, 2), weights, null))
                    .withMessage("weights: F32[4, 32] does not hold [q_proj] of [2, 2] outputs");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> new StageTask(List.of("q_proj"), List.of(4), weights, weights))
                    .withMessage("weights: F32[4, 32] is not the Gram matrix of the inputs of weights: F32[4, 32]");
        }
    }
}
