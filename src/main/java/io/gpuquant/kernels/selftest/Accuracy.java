package io.gpuquant.kernels.selftest;

/**
 * What results are held to.
 *
 * @param letter A where they must be equal in every bit, B where they need not
 * @param bound how far they may deviate, in words
 */
public record Accuracy(char letter, String bound) {

    static final Accuracy BIT_EQUAL = new Accuracy('A', "bit-equal");

    static Accuracy within(String bound) {
        return new Accuracy('B', bound);
    }
}
