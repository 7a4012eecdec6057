package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;

/** The arithmetic of a matrix unit: 16 x 8 sums of k products, to the bit as a GPU of the chosen generation does them. */
abstract class TensorCore {

    static final int ROWS = 16;
    static final int COLUMNS = 8;

    /**
     * Adds products to accumulators.
     *
     * @param a 16 x k elements, row by row
     * @param b 8 x k elements, column by column
     * @param accumulators 16 x 8, row-major; overwritten
     */
    abstract void multiply(int[] a, int[] b, int[] accumulators, int k);

    /** Products of f16, bf16 or tf32, summed in float32. */
    static TensorCore floats(PtxType type, TensorCoreModel model) {
        return new FloatTensorCore(type, model);
    }

    /** Products of signed or unsigned bytes, summed in 32-bit integers with wrap-around. */
    static TensorCore integers(PtxType type) {
        boolean signed = type.isSigned();
        return new TensorCore() {
            @Override
            void multiply(int[] a, int[] b, int[] accumulators, int k) {
                for (int row = 0; row < ROWS; row++) {
                    for (int column = 0; column < COLUMNS; column++) {
                        int sum = accumulators[row * COLUMNS + column];
                        for (int i = 0; i < k; i++) {
                            int x = a[row * k + i];
                            int y = b[column * k + i];
                            sum += signed ? (byte) x * (byte) y : x * y;
                        }
                        accumulators[row * COLUMNS + column] = sum;
                    }
                }
            }
        };
    }
}
