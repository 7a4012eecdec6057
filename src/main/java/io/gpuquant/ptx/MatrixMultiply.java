package io.gpuquant.ptx;

/** {@code mma.sync}: D = A B + C for a 16 x k, a k x 8 and two 16 x 8 matrices spread over the registers of a warp. */
final class MatrixMultiply extends Collective {

    private final MatrixShape shape;
    private final TensorCore core;
    private final int[] d;
    private final int[] a;
    private final int[] b;
    private final int[] c;

    MatrixMultiply(MatrixShape shape, TensorCore core, int[] d, int[] a, int[] b, int[] c) {
        super(Members.ALL_LIVE);
        this.shape = shape;
        this.core = core;
        this.d = d;
        this.a = a;
        this.b = b;
        this.c = c;
    }

    @Override
    void execute(Warp warp, int mask) {
        if (mask != ALL_LANES) {
            throw new LaneFault(Integer.numberOfTrailingZeros(~mask), "mma needs all 32 lanes");
        }
        int[][] words = warp.words;
        MatrixOperands operands = warp.block().matrixOperands();
        shape.gatherA(words, a, operands.a);
        shape.gatherB(words, b, operands.b);
        for (int i = 0; i < MatrixShape.ACCUMULATORS; i++) {
            for (int lane = 0; lane < LANES; lane++) {
                operands.accumulators[MatrixShape.accumulatorIndex(i, lane)] = words[c[i]][lane];
            }
        }
        core.multiply(operands, shape.k());
        for (int i = 0; i < MatrixShape.ACCUMULATORS; i++) {
            for (int lane = 0; lane < LANES; lane++) {
                words[d[i]][lane] = operands.accumulators[MatrixShape.accumulatorIndex(i, lane)];
            }
        }
    }
}
