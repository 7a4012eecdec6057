package io.gpuquant.kernels;

/** How the kernels of {@code ptx/gptq.ptx} share out rows among threads. Which one is taken changes no bit of a result. */
public enum GptqShape {

    /** {@code gptq_block}: four rows to a warp, so that even a thousand rows occupy the whole device. */
    EIGHT_LANES_PER_ROW {
        @Override
        boolean takes(GptqBlock block, QuantizationGrid grid) {
            return true;
        }
    },

    /**
     * {@code gptq_block_rows}: 32 rows to a warp, with less than half the instructions for each. It keeps 32 columns of a row at
     * hand, so a group must be the whole block, or the grids be given; it does not
     * search, and knows no scales but those of F16.
     */
    THREAD_PER_ROW {
        @Override
        boolean takes(GptqBlock block, QuantizationGrid grid) {
            boolean findsGrids = block.groupSize() > 0;
            return !findsGrids
                    || (block.groupSize() == block.weights().columns()
                            && grid.search() == QuantizationGrid.Search.MIN_MAX
                            && !grid.bf16Scales());
        }
    };

    /** Rows for each multiprocessor from which on 32 of them to a warp leave no scheduler without work. */
    private static final int ENOUGH_ROWS = 128;

    /** Whether the kernel can quantize a block. */
    abstract boolean takes(GptqBlock block, QuantizationGrid grid);

    /**
     * The shape for a block: a thread for each row where there are enough rows and the kernel takes the block.
     *
     * @param multiprocessors of the device
     */
    public static GptqShape of(GptqBlock block, QuantizationGrid grid, int multiprocessors) {
        boolean many = block.weights().rows() >= (long) ENOUGH_ROWS * multiprocessors;
        return many && THREAD_PER_ROW.takes(block, grid) ? THREAD_PER_ROW : EIGHT_LANES_PER_ROW;
    }
}
