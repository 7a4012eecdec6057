package io.gpuquant.calibration;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;

/** Token ids as [sequences, length]: what a model is run on. */
public final class TokenSequences {

    private final int length;
    private final int[][] ids;

    /**
     * @param length tokens of each sequence
     * @param sequences the sequences, used without copying
     * @throws IllegalArgumentException when a sequence has another length
     */
    TokenSequences(int length, List<int[]> sequences) {
        this.length = length;
        this.ids = sequences.toArray(int[][]::new);
        for (int[] sequence : ids) {
            if (sequence.length != length) {
                throw new IllegalArgumentException("a sequence of " + sequence.length + " tokens, not " + length);
            }
        }
    }

    /** How many sequences there are. */
    public int count() {
        return ids.length;
    }

    /** Tokens of each sequence. */
    public int length() {
        return length;
    }

    /** Tokens of all sequences together. */
    public long tokens() {
        return (long) ids.length * length;
    }

    /** The token ids of one sequence, [length]; not a copy, so not to be changed. */
    public int[] sequence(int index) {
        return ids[index];
    }

    /** SHA-256, in lower-case hexadecimal, of all ids in order as little-endian 32-bit integers. */
    public String sha256() {
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
        ByteBuffer bytes =
                ByteBuffer.allocate(Math.multiplyExact(length, Integer.BYTES)).order(ByteOrder.LITTLE_ENDIAN);
        for (int[] sequence : ids) {
            bytes.clear();
            bytes.asIntBuffer().put(sequence);
            digest.update(bytes);
        }
        return HexFormat.of().formatHex(digest.digest());
    }
}
