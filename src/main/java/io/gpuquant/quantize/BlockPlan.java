package io.gpuquant.quantize;

import io.gpuquant.kernels.HessianKernels;
import java.util.ArrayList;
import java.util.List;

/**
 * The blocks of columns that GPTQ works through. No block holds a part of a group together with something else: a block is
 * some whole groups, or a piece of one.
 */
record BlockPlan(List<Block> blocks, int groupSize) {

    /**
     * A run of columns.
     *
     * @param start its first column
     */
    record Block(int start, int width) {

        int end() {
            return start + width;
        }
    }

    static BlockPlan of(int columns, int groupSize) {
        List<Block> blocks = new ArrayList<>();
        int widest = HessianKernels.BLOCK;
        if (groupSize <= widest) {
            addRuns(blocks, 0, columns, widest / groupSize * groupSize);
        } else {
            for (int group = 0; group < columns; group += groupSize) {
                addRuns(blocks, group, Math.min(group + groupSize, columns), widest);
            }
        }
        return new BlockPlan(List.copyOf(blocks), groupSize);
    }

    private static void addRuns(List<Block> blocks, int from, int to, int width) {
        for (int start = from; start < to; start += width) {
            blocks.add(new Block(start, Math.min(width, to - start)));
        }
    }

    /**
     * Consecutive blocks that a matrix product takes together.
     *
     * @param firstBlock the number of the first
     * @param endBlock the number of the one after the last
     * @param start the first column of the first
     * @param end the column after the last
     */
    record Run(int firstBlock, int endBlock, int start, int end) {

        int width() {
            return end - start;
        }
    }

    /** All blocks in runs of at most {@code widest} columns, from left to right; a block that is wider is a run by itself. */
    List<Run> runs(int widest) {
        List<Run> runs = new ArrayList<>();
        int first = 0;
        for (int i = 1; i <= blocks.size(); i++) {
            int start = blocks.get(first).start();
            if (i == blocks.size() || blocks.get(i).end() - start > widest) {
                runs.add(new Run(first, i, start, blocks.get(i - 1).end()));
                first = i;
            }
        }
        return runs;
    }

    /** Whether groups are wider than a block, so that their scales cannot be found inside one. */
    boolean hasWideGroups() {
        return groupSize > HessianKernels.BLOCK;
    }
}
