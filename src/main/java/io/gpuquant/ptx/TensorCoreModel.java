package io.gpuquant.ptx;

/**
 * How a generation of matrix units adds up products for a float32 result: products are exact; a group of them is aligned
 * with the accumulator to the largest exponent, each term truncated to 24 plus {@link #extraBits} bits, summed exactly, and
 * the sum truncated to float32 before the next group.
 *
 * <p>After the model of Khattak and Mikaitis, "Accurate models of NVIDIA tensor cores" (arXiv 2512.07004), which they
 * confirmed bit by bit on these GPUs.
 */
public enum TensorCoreModel {
    /** A100 and its relatives (sm_80, sm_86), and Ada (sm_89). */
    SM_80(8, 1),
    /** H100 and H200 (sm_90). */
    SM_90(16, 2);

    private final int groupOfHalf;
    private final int extraBits;

    TensorCoreModel(int groupOfHalf, int extraBits) {
        this.groupOfHalf = groupOfHalf;
        this.extraBits = extraBits;
    }

    /** Products of a group for 16-bit operands; half as many for TF32. */
    int groupOfHalf() {
        return groupOfHalf;
    }

    /** Bits kept below the 24 of a float32 significand while a group is summed. */
    int extraBits() {
        return extraBits;
    }
}
