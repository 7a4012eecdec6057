package io.gpuquant.quantize;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.kernels.HessianKernels;
import java.util.List;
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

    @ParameterizedTest
    @CsvSource({
        "4096, 128, 512, 8",
        "4096, 4096, 256, 16",
        "224, 32, 256, 1",
        "300, 48, 256, 2",
        "90, 3, 10, 1",
        "600, 200, 300, 3"
    })
    void joinsBlocksToRuns(int columns, int groupSize, int widest, int count) {
        BlockPlan plan = BlockPlan.of(columns, groupSize);

        List<BlockPlan.Run> runs = plan.runs(widest);
        assertThat(runs).hasSize(count);
        int next = 0;
        int block = 0;
        for (BlockPlan.Run run : runs) {
            assertThat(run.start()).isEqualTo(next);
            assertThat(run.firstBlock()).isEqualTo(block);
            assertThat(plan.blocks().get(block).start()).isEqualTo(run.start());
            assertThat(plan.blocks().get(run.endBlock() - 1).end()).isEqualTo(run.end());
            assertThat(run.width() <= widest || run.endBlock() == block + 1).isTrue();
            next = run.end();
            block = run.endBlock();
        }
        assertThat(next).isEqualTo(columns);
    }
}
