package io.gpuquant.kernels.selftest;

import java.util.List;

/**
 * Where a matrix lies in its buffer.
 *
 * @param offset elements before the first one
 * @param stride elements from the start of one row to the start of the next
 */
record Layout(int rows, int columns, int offset, int stride) {

    /** Ragged shapes, dense and in windows, with and without rows that start at vectors. */
    static final List<Layout> SHAPES = List.of(dense(1, 1), window(33, 31), aligned(9, 132), dense(5, 127));

    /** Rows without gaps. */
    static Layout dense(int rows, int columns) {
        return new Layout(rows, columns, 0, columns);
    }

    /** A window of a larger matrix, in which no vector begins where a row does. */
    static Layout window(int rows, int columns) {
        return new Layout(rows, columns, 1, columns + 3);
    }

    /** A window of a larger matrix with rows that start at multiples of 32 bytes. */
    static Layout aligned(int rows, int columns) {
        return new Layout(rows, columns, 16, (columns + 15) / 16 * 16 + 16);
    }

    /** The same place for as many rows and columns. */
    Layout dense() {
        return dense(rows, columns);
    }

    /** Elements of the buffer. */
    int elements() {
        return offset + rows * stride;
    }

    /** The index in the buffer of an element of the matrix. */
    int index(int row, int column) {
        return offset + row * stride + column;
    }

    @Override
    public String toString() {
        return rows + " x " + columns + (stride == columns ? "" : " with stride " + stride)
                + (offset == 0 ? "" : " from " + offset);
    }
}
