package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;

/**
 * The extents of the pieces of a matrix whose elements share a scale; pieces at the right and lower edges may be smaller.
 *
 * @param rows at least one; may exceed the matrix
 * @param columns at least one; may exceed the matrix
 */
public record Tile(int rows, int columns) {

    /** All elements of any matrix. */
    public static final Tile WHOLE = new Tile(Integer.MAX_VALUE, Integer.MAX_VALUE);

    public Tile {
        if (rows < 1 || columns < 1) {
            throw new IllegalArgumentException("tiles of " + rows + " x " + columns);
        }
    }

    /** Tiles of one row of a matrix. */
    public static Tile row(int columns) {
        return new Tile(1, columns);
    }

    /** How many tiles a matrix is high. */
    public int down(DeviceMatrix matrix) {
        return Math.ceilDiv(matrix.rows(), rows);
    }

    /** How many tiles a matrix is wide. */
    public int across(DeviceMatrix matrix) {
        return Math.ceilDiv(matrix.columns(), columns);
    }
}
