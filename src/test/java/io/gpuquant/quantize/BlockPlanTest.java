package io.gpuquant.quantize;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.kernels.HessianKernels;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BlockPlanTest {

    @ParameterizedTest
    @CsvSource({
        "1, 1",
        "200, 200",
        "4096, 4096",
        "224, 32",
        "192, 64",
        "384, 128",
        "384, 192",
        "1056, 352",
        "96, 48",
        "300, 1",
        "90, 3",
        "129, 129",
        "514, 257"
    })
    void coversAllColumnsWithWholeGroupsOrPiecesOfOne(int columns, int groupSize) {
        BlockPlan plan = BlockPlan.of(columns, groupSize);

        int next = 0;
        for (BlockPlan.Block block : plan.blocks()) {
            assertThat(block.start()).isEqualTo(next);
            assertThat(block.width()).isBetween(1, HessianKernels.BLOCK);
            boolean wholeGroups = block.start() % groupSize == 0 && block.end() % groupSize == 0;
            boolean pieceOfOne = block.start() / groupSize == (block.end() - 1) / groupSize;
            assertThat(wholeGroups || pieceOfOne).isTrue();
            next = block.end();
        }
        assertThat(next).isEqualTo(columns);
        assertThat(plan.hasWideGroups()).isEqualTo(groupSize > HessianKernels.BLOCK);
    }

    @ParameterizedTest
    @CsvSource({"4096, 128, 32", "4096, 4096, 32", "224, 32, 2", "300, 48, 4", "384, 192, 4"})
    void takesBlocksAsWideAsTheyMayBe(int columns, int groupSize, int blocks) {
        assertThat(BlockPlan.of(columns, groupSize).blocks()).hasSize(blocks);
    }
}
