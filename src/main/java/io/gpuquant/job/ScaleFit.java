package io.gpuquant.job;

/**
 * Undoes a scaling of rows and columns that is not known: AWQ multiplies columns of a weight and may divide its rows. Weights
 * that do not come from the others are not made like them by any scaling.
 */
final class ScaleFit {

    /** Least-squares factors of columns and of rows depend on each other; a few turns are enough. */
    private static final int TURNS = 3;

    private ScaleFit() {}

    /**
     * Scales the rows and columns of {@code scaled} for the least squared difference from {@code original}.
     *
     * @param original [rows, columns]
     * @param scaled of the same extents; changed
     */
    static void undo(double[][] original, double[][] scaled) {
        for (int turn = 0; turn < TURNS; turn++) {
            for (int row = 0; row < original.length; row++) {
                double product = 0;
                double square = 0;
                for (int column = 0; column < original[row].length; column++) {
                    product += original[row][column] * scaled[row][column];
                    square += scaled[row][column] * scaled[row][column];
                }
                double factor = square > 0 ? product / square : 1;
                for (int column = 0; column < original[row].length; column++) {
                    scaled[row][column] *= factor;
                }
            }
            for (int column = 0; column < original[0].length; column++) {
                double product = 0;
                double square = 0;
                for (int row = 0; row < original.length; row++) {
                    product += original[row][column] * scaled[row][column];
                    square += scaled[row][column] * scaled[row][column];
                }
                double factor = square > 0 ? product / square : 1;
                for (int row = 0; row < original.length; row++) {
                    scaled[row][column] *= factor;
                }
            }
        }
    }
}
