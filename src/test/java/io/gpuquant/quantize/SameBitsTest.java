package io.gpuquant.quantize;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.kernels.QuantizationGrid.Search;
import io.gpuquant.quantize.GptqOptions.Ordering;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What must not change a bit of a result: the machine, its threads, what its memory held, and who else is quantized. */
class SameBitsTest {

    private static final QuantizationGrid FOUR = new QuantizationGrid(4, true, 0, Search.MIN_MAX);
    private static final QuantizationGrid THREE = new QuantizationGrid(3, false, 1, Search.MSE);

    /** Every way through the method. */
    private enum Path {
        GROUPS_WITHIN_BLOCKS(new GptqOptions(FOUR, 32, Ordering.NATURAL, false, 0.05)),
        SEARCHED_GROUPS_BY_TURN(new GptqOptions(THREE, 64, Ordering.ACTIVATION, false, 0.05)),
        STATIC_GROUPS(new GptqOptions(FOUR, 64, Ordering.ACTIVATION, true, 0.05)),
        GROUPS_WIDER_THAN_BLOCKS(new GptqOptions(FOUR, 160, Ordering.GROUP_AWARE, false, 0.05)),
        ONE_GROUP(new GptqOptions(THREE, -1, Ordering.GROUP_AWARE, false, 0.05)),
        FLOAT64(new GptqOptions(FOUR, 32, Ordering.NATURAL, false, 0.2)),
        ROUNDED(new GptqOptions(FOUR, 32, Ordering.NATURAL, false, 0.001));

        private final GptqOptions options;

        Path(GptqOptions options) {
            this.options = options;
        }

        SyntheticStage stage(int... outputs) {
            SyntheticStage stage = SyntheticStage.of(7, 320, outputs).withDead(3, 200);
            return this == FLOAT64 || this == ROUNDED ? Indefinite.by(0.25, stage) : stage;
        }
    }

    @ParameterizedTest
    @EnumSource
    void onAMachineThatWatchesForFaults(Path path) {
        SyntheticStage stage = path.stage(3, 34);
        try (StageLab fast = StageLab.fast();
                StageLab checked = StageLab.checked()) {
            assertSame(checked.gptq(stage, path.options), fast.gptq(stage, path.options));
        }
    }

    @ParameterizedTest
    @EnumSource
    void whateverMemoryHeldBefore(Path path) {
        SyntheticStage stage = path.stage(3, 34);
        List<StageOutcome> outcomes = IntStream.of(0, 0xff, 0x5a)
                .mapToObj(value -> {
                    try (StageLab lab = new StageLab(WatchedDevice.filledWith(value, host(1)))) {
                        return lab.gptq(stage, path.options);
                    }
                })
                .toList();

        assertSame(outcomes.get(1), outcomes.get(0));
        assertSame(outcomes.get(2), outcomes.get(0));
    }

    @ParameterizedTest
    @EnumSource
    void forAnyNumberOfThreadsAndTwiceInARow(Path path) {
        SyntheticStage stage = path.stage(129, 31);
        try (StageLab one = new StageLab(host(1))) {
            StageOutcome expected = one.gptq(stage, path.options);
            assertSame(one.gptq(stage, path.options), expected);
            for (int threads : new int[] {2, 5}) {
                try (StageLab several = new StageLab(host(threads))) {
                    assertSame(several.gptq(stage, path.options), expected);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"SEARCHED_GROUPS_BY_TURN", "GROUPS_WIDER_THAN_BLOCKS", "ONE_GROUP", "ROUNDED"})
    void withOrWithoutSiblings(Path path) {
        SyntheticStage stage = path.stage(1, 33, 40);
        try (StageLab lab = new StageLab(WatchedDevice.ofKernelsOnly(host(1)))) {
            StageOutcome together = lab.gptq(stage, path.options);
            int first = 0;
            for (int i = 0; i < stage.outputs().size(); i++) {
                StageOutcome alone = lab.gptq(stage.alone(i), path.options);
                int rows = stage.outputs().get(i);
                assertSame(rowsOf(together, first, rows, i), alone);
                first += rows;
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 64})
    void roundedToNearestWithOrWithoutSiblings(int groupSize) {
        SyntheticStage stage = SyntheticStage.of(8, 320, 1, 33, 129);
        try (StageLab lab = new StageLab(host(1))) {
            StageOutcome together = lab.run(stage, on -> new RoundToNearest(on, THREE, groupSize));
            int first = 0;
            for (int i = 0; i < stage.outputs().size(); i++) {
                StageOutcome alone = lab.run(stage.alone(i), on -> new RoundToNearest(on, THREE, groupSize));
                int rows = stage.outputs().get(i);
                assertSame(rowsOf(together, first, rows, i), alone);
                first += rows;
            }
        }
    }

    /** One linear of a stage, under the name that it has when it is alone. */
    private static StageOutcome rowsOf(StageOutcome stage, int first, int count, int linear) {
        int in = stage.groupIndex().length;
        int groups = stage.scales().length / stage.rows();
        float[] scales = new float[groups * count];
        int[] zeros = new int[groups * count];
        for (int group = 0; group < groups; group++) {
            for (int row = 0; row < count; row++) {
                scales[group * count + row] = stage.scale(group, first + row);
                zeros[group * count + row] = stage.zero(group, first + row);
            }
        }
        LinearReport report = stage.reports().get(linear);
        return new StageOutcome(
                count,
                stage.packed(),
                Arrays.copyOfRange(stage.codes(), first * in, (first + count) * in),
                scales,
                zeros,
                stage.groupIndex(),
                List.of(new LinearReport(
                        "linear.0",
                        report.method(),
                        report.error(),
                        report.damping(),
                        report.deadFeatures(),
                        report.note())));
    }

    private static void assertSame(StageOutcome actual, StageOutcome expected) {
        assertThat(actual).usingRecursiveComparison().isEqualTo(expected);
    }

    private static HostDevice host(int threads) {
        return HostDevice.open(new DeviceOptions(Long.MAX_VALUE, threads));
    }
}
