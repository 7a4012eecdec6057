package io.gpuquant.quantize;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.kernels.QuantizationGrid.Search;
import io.gpuquant.quantize.GptqOptions.Ordering;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WordOrderTest {

    @Test
    void countsFromTheFirstWordOfTheBlockWhereFeaturesTakeTurnsInTheirOrder() {
        WordOrder words = WordOrder.of(ColumnOrder.natural(192, 64), BlockPlan.of(192, 64), 3)
                .orElseThrow();

        assertThat(words.pieces()).containsExactly(0, 1, 2, 3, 4, 5);
        assertThat(words.targets()[1]).isEqualTo(3);
        assertThat(words.targets()[127]).isEqualTo(381);
        assertThat(words.targets()[128]).isZero();
        assertThat(words.targets()[191]).isEqualTo(189);
    }

    @ParameterizedTest
    @CsvSource({"256, 128", "384, 64", "256, 32", "192, 96"})
    void namesForEachTurnTheBitOfItsFeature(int features, int groupSize) {
        ColumnOrder order = ColumnOrder.groupAware(diagonal(features), groupSize);
        BlockPlan plan = BlockPlan.of(features, groupSize);
        WordOrder words = WordOrder.of(order, plan, 4).orElseThrow();

        for (BlockPlan.Block block : plan.blocks()) {
            for (int turn = block.start(); turn < block.end(); turn++) {
                int word = words.targets()[turn] / Integer.SIZE;
                int piece = words.pieces()[block.start() / 32 + word / 4];
                int bit = (piece * 4 + word % 4) * Integer.SIZE + words.targets()[turn] % Integer.SIZE;
                assertThat(bit).isEqualTo(order.order()[turn] * 4);
            }
        }
    }

    @Test
    void isNotThereWhereABlockHasOnlySomeFeaturesOfAWord() {
        float[] diagonal = diagonal(256);

        assertThat(WordOrder.of(ColumnOrder.activation(diagonal, 128), BlockPlan.of(256, 128), 4))
                .isEmpty();
        assertThat(WordOrder.of(ColumnOrder.groupAware(diagonal, 256), BlockPlan.of(256, 256), 4))
                .isEmpty();
        assertThat(WordOrder.of(ColumnOrder.groupAware(diagonal, 16), BlockPlan.of(256, 16), 4))
                .isEmpty();
        assertThat(WordOrder.of(ColumnOrder.natural(240, 48), BlockPlan.of(240, 48), 4))
                .isEmpty();
    }

    /** Packed by the loop or by itself, the codes are the same; linears that share an input have words of their own. */
    @ParameterizedTest
    @CsvSource({
        "4, 64, GROUP_AWARE, true",
        "3, 128, GROUP_AWARE, true",
        "8, 32, NATURAL, true",
        "2, -1, NATURAL, true",
        "4, -1, GROUP_AWARE, false",
        "4, 64, ACTIVATION, false"
    })
    void changesNoCode(int bits, int groupSize, Ordering ordering, boolean packs) {
        GptqOptions options =
                new GptqOptions(new QuantizationGrid(bits, false, 1, Search.MIN_MAX), groupSize, ordering, false, 0.05);
        SyntheticStage stage = SyntheticStage.of(21, 256, 5, 33, 2);
        try (StageLab lab = new StageLab(HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 2)))) {
            StageOutcome words = lab.gptq(stage, options, CodeLayout.WORDS);
            assertThat(words.packed()).isEqualTo(packs);
            assertThat(words)
                    .usingRecursiveComparison()
                    .ignoringFields("packed")
                    .isEqualTo(lab.gptq(stage, options, CodeLayout.BYTES));
        }
    }

    private static float[] diagonal(int features) {
        SplittableRandom random = new SplittableRandom(features);
        float[] diagonal = new float[features];
        IntStream.range(0, features).forEach(i -> diagonal[i] = random.nextFloat());
        return diagonal;
    }
}
