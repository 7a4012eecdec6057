package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;

/** The arithmetic of a matrix unit: 16 x 8 sums of k products, to the bit as a GPU of the chosen generation does them. */
abstract class TensorCore {

    static final int ROWS = 16;
    static final int COLUMNS = 8;

    /** Adds the products of A and B to the accumulators. */
    abstract void multiply(MatrixOperands operands, int k);

    /** Products of f16, bf16 or tf32, summed in float32. */
    static TensorCore floats(PtxType type, TensorCoreModel model) {
        return new FloatTensorCore(type, model);
    }

    /** Products of signed or unsigned bytes, summed in 32-bit integers with wrap-around. */
    static TensorCore integers(PtxType type) {
        return new IntegerTensorCore(type.isSigned());
    }

    private static final class IntegerTensorCore extends TensorCore {

        private final boolean signed;

        IntegerTensorCore(boolean signed) {
            this.signed = signed;
        }

        @Override
        void multiply(MatrixOperands operands, int k) {
            for (int row = 0; row < ROWS; row++) {
                for (int column = 0; column < COLUMNS; column++) {
                    int sum = operands.accumulators[row * COLUMNS + column];
                    for (int i = 0; i < k; i++) {
                        int x = operands.a[row * k + i];
                        int y = operands.b[column * k + i];
                        sum += signed ? (byte) x * (byte) y : x * y;
                    }
                    operands.accumulators[row * COLUMNS + column] = sum;
                }
            }
        }
    }
}
