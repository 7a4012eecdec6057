package io.gpuquant.quantize;

import io.gpuquant.kernels.BlockCodes;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Which words of a checkpoint the columns of GPTQ's blocks are in, for orders in which every block has all columns of its words.
 * So it is in the order of the features, and where whole groups of them take turns; not where any feature may follow any other.
 *
 * @param targets by turn, the bit that the column's code starts at, counted from the first word of the block's pieces
 * @param pieces by turn, for every 32nd one, a piece of the block it is in: its first input feature divided by 32
 */
@SuppressWarnings("ArrayRecordComponent") // Bulk data that is made once and only read.
record WordOrder(int[] targets, int[] pieces) {

    private static final int PIECE = BlockCodes.Words.PIECE;

    /** The words of an order, if every block consists of whole pieces of 32 input features. */
    static Optional<WordOrder> of(ColumnOrder order, BlockPlan plan, int bits) {
        int features = order.order().length;
        WordOrder words = new WordOrder(new int[features], new int[features / PIECE]);
        for (BlockPlan.Block block : plan.blocks()) {
            if (block.start() % PIECE != 0 || block.width() % PIECE != 0 || !words.fill(order, block, bits)) {
                return Optional.empty();
            }
        }
        return Optional.of(words);
    }

    /** Finds the pieces of a block in the order of their first turns; whether they are no more than it has room for. */
    private boolean fill(ColumnOrder order, BlockPlan.Block block, int bits) {
        List<Integer> found = new ArrayList<>();
        for (int turn = block.start(); turn < block.end(); turn++) {
            int feature = order.order()[turn];
            int piece = feature / PIECE;
            int slot = found.indexOf(piece);
            if (slot < 0) {
                slot = found.size();
                if (slot == block.width() / PIECE) {
                    return false;
                }
                found.add(piece);
                pieces[block.start() / PIECE + slot] = piece;
            }
            targets[turn] = (slot * PIECE + feature % PIECE) * bits;
        }
        return true;
    }
}
