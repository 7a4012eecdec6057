package io.gpuquant.format;

/**
 * What every quantized linear of a GPTQ checkpoint has in common.
 *
 * @param bits of a code: 2, 3, 4 or 8
 * @param groupSize input features that share a scale; -1 for all of a linear
 * @param symmetric whether every zero point is {@code 2^(bits-1)}
 * @param descAct whether the groups of a linear are not runs of consecutive input features, so that engines must look at
 *     {@code g_idx}
 */
public record GptqScheme(int bits, int groupSize, boolean symmetric, boolean descAct, GptqVersion version) {

    /** Codes are packed into words of this many bits. */
    public static final int WORD_BITS = 32;

    public GptqScheme {
        if (bits != 2 && bits != 3 && bits != 4 && bits != 8) {
            throw new IllegalArgumentException(bits + " bits");
        }
        if (groupSize != -1 && groupSize < 1) {
            throw new IllegalArgumentException("groups of " + groupSize);
        }
    }

    /** Input features of a group of a linear with {@code in} input features. */
    public int groupSize(int in) {
        return groupSize == -1 ? in : groupSize;
    }

    /** Groups of a linear with {@code in} input features. */
    public int groups(int in) {
        return (in + groupSize(in) - 1) / groupSize(in);
    }

    /** Whether a linear's codes fill whole words in both directions, without which no engine can read it. */
    public boolean canPack(int in, int out) {
        return in % WORD_BITS == 0 && out % WORD_BITS == 0;
    }
}
