package io.gpuquant.device.host;

import io.gpuquant.device.Gemm;

/**
 * How a product is cut into pieces for threads. It depends on the shape alone, never on the number of threads, because
 * every cut is a different order of rounding; sums are never cut.
 */
record Tiling(int rows, int columns, int tileRows, int tileColumns, int batch) {

    private static final int LARGEST = 512;
    private static final int SMALLEST = 128;
    private static final int ENOUGH_TILES = 8;

    static Tiling of(Gemm gemm) {
        int tileRows = LARGEST;
        int tileColumns = LARGEST;
        while (tiles(gemm, tileRows, tileColumns) < ENOUGH_TILES && (tileRows > SMALLEST || tileColumns > SMALLEST)) {
            if (tileRows >= tileColumns) {
                tileRows /= 2;
            } else {
                tileColumns /= 2;
            }
        }
        return new Tiling(gemm.m(), gemm.n(), tileRows, tileColumns, gemm.batch());
    }

    private static long tiles(Gemm gemm, int tileRows, int tileColumns) {
        return (long) gemm.batch() * ceilDiv(gemm.m(), tileRows) * ceilDiv(gemm.n(), tileColumns);
    }

    int count() {
        return batch * ceilDiv(rows, tileRows) * ceilDiv(columns, tileColumns);
    }

    /** A piece of the result. */
    record Tile(int batchIndex, int row, int rows, int column, int columns) {}

    Tile tile(int index) {
        int across = ceilDiv(columns, tileColumns);
        int down = ceilDiv(rows, tileRows);
        int column = index % across * tileColumns;
        int row = index / across % down * tileRows;
        return new Tile(
                index / across / down,
                row,
                Math.min(tileRows, rows - row),
                column,
                Math.min(tileColumns, columns - column));
    }

    private static int ceilDiv(int value, int divisor) {
        return (value + divisor - 1) / divisor;
    }
}
