package io.gpuquant.model;

import io.gpuquant.device.Blas;
import io.gpuquant.device.DeviceMatrix;
import java.util.ArrayList;
import java.util.List;

/**
 * How token sequences are cut into the pieces that are on the device at once.
 *
 * <p>A chunk is what fits; a block is what is multiplied. The last bits of a product may depend on its number of rows, so
 * every product is of one block, whatever the chunk: blocks follow from the sequences alone, and a chunk is a number of whole
 * blocks. So neither the size of chunks nor that of the attention's tiles changes a bit of a result.
 *
 * @param sequences how many there are
 * @param sequenceLength tokens of each
 * @param perBlock sequences of a block; the last may have fewer
 * @param perChunk sequences of a chunk, whole blocks of them; the last may have fewer
 * @param scoreBytes memory for attention scores, which are computed for as many heads as fit, for one product at least
 */
public record Chunking(int sequences, int sequenceLength, int perBlock, int perChunk, long scoreBytes) {

    /** Tokens that keep a device busy, and whose Gram matrix is summed in one chain. */
    private static final int BLOCK_TOKENS = Blas.GRAM_CHAIN;

    /** Tokens of a chunk where there is room, so that small kernels have enough to do. */
    private static final int CHUNK_TOKENS = 4096;

    /** Memory for scores where there is room. */
    private static final long SCORE_BYTES = 64L << 20;

    public Chunking {
        if (sequences < 1 || sequenceLength < 1 || perBlock < 1 || perChunk < 1 || scoreBytes < 0) {
            throw new IllegalArgumentException(sequences + " sequences of " + sequenceLength + " tokens, " + perBlock
                    + " in a block, " + perChunk + " at once");
        }
        if (perChunk < sequences && perChunk % perBlock != 0) {
            throw new IllegalArgumentException(
                    "chunks of " + perChunk + " sequences are not whole blocks of " + perBlock);
        }
    }

    /** Blocks of one sequence each. */
    public Chunking(int sequences, int sequenceLength, int perChunk) {
        this(sequences, sequenceLength, 1, perChunk, SCORE_BYTES);
    }

    /** Blocks of about 2048 tokens, one sequence at least, and chunks of about 4096 tokens, one block at least. */
    public static Chunking of(int sequences, int sequenceLength) {
        return ofBlocks(sequences, sequenceLength, Math.clamp(BLOCK_TOKENS / sequenceLength, 1, sequences));
    }

    /** The same with so many sequences in a block. */
    public static Chunking ofBlocks(int sequences, int sequenceLength, int perBlock) {
        long blocks = Math.max(1, CHUNK_TOKENS / ((long) perBlock * sequenceLength));
        int perChunk = (int) Math.min(blocks * perBlock, sequences);
        return new Chunking(sequences, sequenceLength, perBlock, perChunk, SCORE_BYTES);
    }

    /** This and others that take less and less device memory, to the least; all give the same bits. */
    public List<Chunking> narrowing() {
        List<Chunking> all = new ArrayList<>();
        int chunk = perChunk;
        for (long bytes = scoreBytes; bytes >= 1L << 20; bytes /= Long.BYTES) {
            all.add(new Chunking(sequences, sequenceLength, perBlock, chunk, bytes));
            chunk = Math.min(perBlock, sequences);
        }
        all.add(new Chunking(sequences, sequenceLength, perBlock, chunk, 0));
        return List.copyOf(all);
    }

    /** How many chunks there are. */
    public int count() {
        return (sequences + perChunk - 1) / perChunk;
    }

    /** The first sequence of a chunk. */
    public int firstSequence(int chunk) {
        return chunk * perChunk;
    }

    /** Sequences of a chunk. */
    public int sequences(int chunk) {
        return Math.min(perChunk, sequences - firstSequence(chunk));
    }

    /** Tokens of a chunk. */
    public int tokens(int chunk) {
        return sequences(chunk) * sequenceLength;
    }

    /** Tokens of the largest chunk. */
    public int mostTokens() {
        return perChunk * sequenceLength;
    }

    /** Tokens of all chunks. */
    public long totalTokens() {
        return (long) sequences * sequenceLength;
    }

    /** How many blocks there are. */
    public int blocks() {
        return (sequences + perBlock - 1) / perBlock;
    }

    /** The first block of a chunk. */
    public int firstBlock(int chunk) {
        return firstSequence(chunk) / perBlock;
    }

    /** Tokens of the largest block. */
    public int blockTokens() {
        return Math.min(perBlock, sequences) * sequenceLength;
    }

    /** The rows of a chunk, or of whole blocks, block by block. */
    public List<DeviceMatrix> blocks(DeviceMatrix rows) {
        List<DeviceMatrix> blocks = new ArrayList<>();
        for (int row = 0; row < rows.rows(); row += blockTokens()) {
            blocks.add(rows.rows(row, Math.min(blockTokens(), rows.rows() - row)));
        }
        return blocks;
    }
}
