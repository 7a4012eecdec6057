package io.gpuquant.ptx;

/** The operands of a matrix product, gathered from the registers of a warp, with room for a matrix unit to work in. */
final class MatrixOperands {

    private static final int LONGEST = 32;

    /** 16 x k elements, row by row, in the low bits. */
    final int[] a = new int[TensorCore.ROWS * LONGEST];

    /** 8 x k elements, column by column. */
    final int[] b = new int[TensorCore.COLUMNS * LONGEST];

    /** 16 x 8, row by row; the result goes over them. */
    final int[] accumulators = new int[TensorCore.ROWS * TensorCore.COLUMNS];

    final double[] valuesA = new double[a.length];
    final double[] valuesB = new double[b.length];
    final int[] exponentsA = new int[a.length];
    final int[] exponentsB = new int[b.length];
}
