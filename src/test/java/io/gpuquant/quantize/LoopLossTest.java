package io.gpuquant.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.kernels.QuantizationGrid.Search;
import io.gpuquant.quantize.GptqOptions.Ordering;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LoopLossTest {

    /** What is reported is what a float64 product of the errors with the Gram matrix gives. */
    @ParameterizedTest
    @CsvSource({
        "4, 64, GROUP_AWARE, 0.05",
        "3, 128, ACTIVATION, 0.01",
        "2, -1, NATURAL, 0.3",
        "4, 192, GROUP_AWARE, 0.05"
    })
    void isTheErrorOfTheOutputs(int bits, int groupSize, Ordering ordering, double damping) {
        GptqOptions options = new GptqOptions(
                new QuantizationGrid(bits, true, 0, Search.MIN_MAX), groupSize, ordering, false, damping);
        SyntheticStage stage = SyntheticStage.of(3, 384, 24, 7);
        try (StageLab lab = lab()) {
            StageOutcome outcome = lab.gptq(stage, options);
            double[] losses = outcome.losses(stage);
            double[] before = stage.weightedNorms(IntStream.range(0, stage.weights().length)
                    .mapToDouble(i -> stage.weights()[i])
                    .toArray());
            int first = 0;
            for (int i = 0; i < stage.outputs().size(); i++) {
                int end = first + stage.outputs().get(i);
                double expected = Arrays.stream(losses, first, end).sum()
                        / Arrays.stream(before, first, end).sum();
                assertThat(outcome.reports().get(i).error()).isCloseTo(expected, within(3e-5 * expected));
                first = end;
            }
        }
    }

    /** Where nearly all of the loss is that of the damping, the difference would be noise. */
    @Test
    void isLeftToAProductWhereTheDampingHidesIt() {
        try (StageLab lab = lab()) {
            DeviceMatrix errors = lab.floats("errors", 3, 2, 3, 4, 0, 1, 2, 0);
            StageTask task = new StageTask(List.of("q", "k"), List.of(1, 2), errors, null);
            LoopLoss loss = new LoopLoss(lab.device());

            assertThat(loss.of(task, errors, new float[] {28, 2, 7}, 1).orElseThrow())
                    .containsExactly(3, 4);
            assertThat(loss.of(task, errors, new float[] {25.1f, 2, 7}, 1)).isEmpty();
            assertThat(loss.of(task, errors, new float[] {28, 2, Float.NaN}, 1)).isEmpty();
            errors.buffer().close();
        }
    }

    private static StageLab lab() {
        return new StageLab(HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 2)));
    }
}
