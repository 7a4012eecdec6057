package io.gpuquant.quantize;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.BlockCodes;
import java.util.stream.IntStream;

/** Where the codes of each block of columns go. */
interface BlockTargets {

    /** Where those of one block go. */
    BlockCodes of(BlockPlan.Block block);

    /** To a byte each. */
    static BlockTargets bytes(StageCodes.Bytes codes) {
        return block -> new BlockCodes.Bytes(codes.matrix().columns(block.start(), block.width()));
    }

    /**
     * Into words.
     *
     * @param memory where tables are kept, and which must outlive the loop
     */
    static BlockTargets words(Scratch memory, StageCodes.Words codes, WordOrder order, StageTask task, int bits) {
        DeviceMatrix targets = memory.integers("bits that codes start at", order.targets());
        DeviceMatrix pieces = memory.integers("pieces of columns", order.pieces());
        DeviceMatrix linears = memory.integers(
                "first outputs of linears",
                IntStream.rangeClosed(0, task.outputs().size())
                        .map(task::offset)
                        .toArray());
        int piece = BlockCodes.Words.PIECE;
        return block -> new BlockCodes.Words(
                codes.matrix(),
                bits,
                targets.columns(block.start(), block.width()),
                pieces.columns(block.start() / piece, block.width() / piece),
                linears);
    }
}
