package io.gpuquant.model;

/**
 * How token sequences are cut into the pieces that are on the device at once. It must not depend on what else the device
 * holds: the last bits of a product may depend on its number of rows.
 *
 * @param sequences how many there are
 * @param sequenceLength tokens of each
 * @param perChunk sequences of a chunk; the last may have fewer
 */
public record Chunking(int sequences, int sequenceLength, int perChunk) {

    /** Tokens that keep a device busy and that buffers are cheap for. */
    private static final int TOKENS = 4096;

    public Chunking {
        if (sequences < 1 || sequenceLength < 1 || perChunk < 1) {
            throw new IllegalArgumentException(
                    sequences + " sequences of " + sequenceLength + " tokens, " + perChunk + " at once");
        }
    }

    /** Chunks of about 4096 tokens, one sequence at least. */
    public static Chunking of(int sequences, int sequenceLength) {
        int perChunk = Math.clamp(TOKENS / sequenceLength, 1, sequences);
        return new Chunking(sequences, sequenceLength, perChunk);
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
}
