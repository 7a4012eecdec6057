package io.gpuquant.job;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.model.Chunking;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * The tokens that the output of a module is compared for: about {@value #MOST} of them, whole blocks evenly spread over the
 * calibration set, whose order is already random; with no more tokens than this, all of them. They are the same whatever
 * the number of devices, so that several find what one finds; a device looks at those of them that are its own.
 */
final class SearchTokens {

    static final int MOST = 8192;

    private final Chunking own;
    private final BitSet wanted = new BitSet();

    /**
     * @param own the sequences of this device
     * @param sequences of all devices
     */
    SearchTokens(Chunking own, Seat seat, int sequences) {
        this.own = own;
        Chunking all = Chunking.of(sequences, own.sequenceLength());
        for (int block : blocks(all)) {
            int first = block * all.perBlock() - seat.firstSequence(sequences);
            int end = Math.min(first + all.perBlock(), own.sequences());
            if (end > 0) {
                wanted.set(Math.max(0, first), Math.max(Math.max(0, first), end));
            }
        }
    }

    /** Whole blocks, evenly spread. */
    static List<Integer> blocks(Chunking chunking) {
        int count = Math.clamp(MOST / chunking.blockTokens(), 1, chunking.blocks());
        List<Integer> blocks = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            blocks.add((int) ((long) i * chunking.blocks() / count));
        }
        return blocks;
    }

    /**
     * What is wanted of a block: whole sequences, as many together as follow each other.
     *
     * @param x the tokens of the block
     */
    List<DeviceMatrix> of(int block, DeviceMatrix x) {
        int length = own.sequenceLength();
        int begin = block * own.perBlock();
        int end = begin + x.rows() / length;
        List<DeviceMatrix> rows = new ArrayList<>();
        for (int first = wanted.nextSetBit(begin); first >= 0 && first < end; ) {
            int next = Math.min(wanted.nextClearBit(first), end);
            rows.add(x.rows((first - begin) * length, (next - first) * length));
            first = wanted.nextSetBit(next);
        }
        return rows;
    }
}
