package io.gpuquant.bench;

/**
 * The decoder layer that is measured, and how many tokens go through it.
 *
 * @param keyHeads heads of keys and values
 * @param sequenceLength tokens of a sequence, a divisor of {@code tokens}
 */
public record LayerShape(
        int hidden, int intermediate, int heads, int keyHeads, int vocabulary, int tokens, int sequenceLength) {

    /** Llama-3-8B, with four of the 128 sequences of a calibration. */
    public static final LayerShape LLAMA_3_8B = new LayerShape(4096, 14_336, 32, 8, 128_256, 8192, 2048);

    /** A layer that the virtual GPU computes in seconds. */
    public static final LayerShape SMALL = new LayerShape(256, 768, 4, 2, 2048, 256, 128);

    public LayerShape {
        if (hidden < 1 || intermediate < 1 || heads < 1 || keyHeads < 1 || vocabulary < 1 || sequenceLength < 1) {
            throw new IllegalArgumentException("sizes of a layer must be positive");
        }
        if (hidden % 128 != 0 || intermediate % 128 != 0) {
            throw new IllegalArgumentException(
                    "hidden and intermediate size must be multiples of 128, the group size that is measured");
        }
        if (hidden % heads != 0 || hidden / heads % 2 != 0 || heads % keyHeads != 0) {
            throw new IllegalArgumentException(
                    hidden + " hidden features in " + heads + " heads with " + keyHeads + " heads of keys");
        }
        if (tokens < 1 || tokens % sequenceLength != 0) {
            throw new IllegalArgumentException(tokens + " tokens in sequences of " + sequenceLength);
        }
    }

    int headDim() {
        return hidden / heads;
    }

    /** Features of all keys, or of all values. */
    int keyWidth() {
        return keyHeads * headDim();
    }

    /** Sequences. */
    int sequences() {
        return tokens / sequenceLength;
    }

    @Override
    public String toString() {
        return "hidden " + hidden + ", intermediate " + intermediate + ", " + heads + " heads, " + keyHeads
                + " of keys, vocabulary " + vocabulary + ", " + tokens + " tokens in sequences of " + sequenceLength;
    }
}
