package io.gpuquant.kernels;

/**
 * How a group of weights is mapped to integers: {@code w ≈ scale * (code - zero)} with codes from 0 to {@code 2^bits - 1}.
 *
 * @param bits 2, 3, 4 or 8
 * @param symmetric whether the zero point is fixed at {@code 2^(bits-1)}; otherwise each group has its own
 * @param smallestZero the smallest zero point of an asymmetric group: 1 where the file format stores {@code zero - 1}
 * @param search how the scale of a group is found
 * @param bf16Scales whether scales, which are F16 numbers, must be BF16 numbers too, because the file has them in that type
 */
public record QuantizationGrid(int bits, boolean symmetric, int smallestZero, Search search, boolean bf16Scales) {

    /** Ways to find the scale of a group. */
    public enum Search {
        /** The range from the smallest to the largest weight. */
        MIN_MAX,
        /** Of 80 ranges, from the full one down to a fifth of it, the one with the least sum of squared errors. */
        MSE
    }

    public QuantizationGrid {
        if (bits != 2 && bits != 3 && bits != 4 && bits != 8) {
            throw new IllegalArgumentException(bits + " bits");
        }
        if (smallestZero < 0 || smallestZero > 1) {
            throw new IllegalArgumentException("a smallest zero point of " + smallestZero);
        }
    }

    /** With scales that are stored in F16. */
    public QuantizationGrid(int bits, boolean symmetric, int smallestZero, Search search) {
        this(bits, symmetric, smallestZero, search, false);
    }

    /** The largest code. */
    public int largestCode() {
        return (1 << bits) - 1;
    }

    /** The zero point of a symmetric group. */
    public int middle() {
        return 1 << (bits - 1);
    }
}
