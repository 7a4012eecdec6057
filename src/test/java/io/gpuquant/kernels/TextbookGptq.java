package io.gpuquant.kernels;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * GPTQ as published (Frantar et al., arXiv 2210.17323), in float64 and without blocks: the inverse of the Hessian, its upper
 * Cholesky factor U, and one column after the other, each column's error over U's diagonal times U's row being taken from
 * the columns that are left. As the kernels do, and the published code does not, groups find their grids in the weights as
 * they are when the group's turn comes, and scales are rounded to F16 before anything is rounded to them.
 */
final class TextbookGptq {

    /**
     * What to quantize to.
     *
     * @param groupSize columns that share a grid; that of a row is found before the first column
     * @param order the columns in the order of their turns
     * @param staticGroups whether groups are of neighbouring columns, with grids found before the first column; otherwise
     *     they are of columns whose turns follow each other
     */
    @SuppressWarnings("ArrayRecordComponent") // Arrays are compared element by element.
    record Scheme(QuantizationGrid grid, int groupSize, int[] order, boolean staticGroups) {

        /** Groups in order of columns. */
        static Scheme plain(QuantizationGrid grid, int groupSize, int columns) {
            return new Scheme(grid, groupSize, IntStream.range(0, columns).toArray(), false);
        }

        /** Whether no grid waits for the columns before its own. */
        boolean gridsComeFirst() {
            return staticGroups || groupSize >= order.length;
        }

        /** The group of the column with this turn. */
        int group(int turn) {
            return (staticGroups ? order[turn] : turn) / groupSize;
        }
    }

    /**
     * What came of it, all in the order of the columns.
     *
     * @param quantized the weights that the codes stand for
     * @param loss the sum over rows of {@code e H eᵀ} with the damped Hessian, as the loop counts it
     */
    @SuppressWarnings("ArrayRecordComponent") // Arrays are compared element by element.
    record Result(int[] codes, double[] quantized, double loss) {}

    private final int rows;
    private final int columns;
    private final Scheme scheme;
    private final double[] running;
    private final double[] factor;
    private final GridOracle[] grids;

    private TextbookGptq(double[] weights, double[] gram, double damping, Scheme scheme) {
        this.scheme = scheme;
        columns = scheme.order.length;
        rows = weights.length / columns;
        running = new double[weights.length];
        for (int row = 0; row < rows; row++) {
            for (int turn = 0; turn < columns; turn++) {
                running[row * columns + turn] = weights[row * columns + scheme.order[turn]];
            }
        }
        factor = upperFactorOfInverse(damped(gram, damping, scheme.order));
        grids = new GridOracle[rows * ((columns + scheme.groupSize - 1) / scheme.groupSize)];
        if (scheme.gridsComeFirst()) {
            for (int i = 0; i < grids.length; i++) {
                int group = i / rows;
                grids[i] = gridOf(weights, i % rows, group * scheme.groupSize);
            }
        }
    }

    /**
     * Quantizes weights.
     *
     * @param weights [rows, columns]
     * @param gram [columns, columns], of which the upper triangle is read
     * @param damping added to the diagonal; a column whose diagonal entry is zero gets one instead
     */
    static Result quantize(double[] weights, double[] gram, double damping, Scheme scheme) {
        return new TextbookGptq(weights, gram, damping, scheme).run();
    }

    /** The Hessian that the method minimizes: reordered, symmetric, damped, with ones for dead columns. */
    static double[] damped(double[] gram, double damping, int[] order) {
        int n = order.length;
        double[] hessian = new double[n * n];
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                hessian[i * n + j] = gram[Math.min(order[i], order[j]) * n + Math.max(order[i], order[j])];
            }
            hessian[i * n + i] = hessian[i * n + i] == 0 ? 1 : hessian[i * n + i] + damping;
        }
        return hessian;
    }

    private Result run() {
        int[] codes = new int[running.length];
        double[] quantized = new double[running.length];
        double loss = 0;
        for (int turn = 0; turn < columns; turn++) {
            for (int row = 0; row < rows; row++) {
                int group = scheme.group(turn) * rows + row;
                if (!scheme.gridsComeFirst() && turn % scheme.groupSize == 0) {
                    grids[group] = gridOf(running, row, turn);
                }
                GridOracle grid = grids[group];
                double weight = running[row * columns + turn];
                int code = (int) Math.clamp(Math.rint(weight / grid.scale()) + grid.zero(), 0, grid.largest());
                double value = (double) grid.scale() * (code - grid.zero());
                double error = (weight - value) / factor[turn * columns + turn];
                for (int later = turn; later < columns; later++) {
                    running[row * columns + later] -= error * factor[turn * columns + later];
                }
                loss += error * error;
                codes[row * columns + scheme.order[turn]] = code;
                quantized[row * columns + scheme.order[turn]] = value;
            }
        }
        return new Result(codes, quantized, loss);
    }

    /** The grid of a row's group that starts at a column. */
    private GridOracle gridOf(double[] matrix, int row, int first) {
        int start = row * columns + first;
        int end = Math.min(start + scheme.groupSize, (row + 1) * columns);
        return GridOracle.of(Matrices.toFloats(Arrays.copyOfRange(matrix, start, end)), scheme.grid);
    }

    /** U, upper triangular, with {@code H⁻¹ = Uᵀ U}. */
    private static double[] upperFactorOfInverse(double[] hessian) {
        int n = (int) Math.sqrt(hessian.length);
        double[] lower = cholesky(hessian, n);
        // Columns of the inverse, by substitution with L and with its transpose.
        double[] inverse = new double[n * n];
        for (int column = 0; column < n; column++) {
            double[] x = new double[n];
            x[column] = 1;
            for (int i = 0; i < n; i++) {
                for (int k = 0; k < i; k++) {
                    x[i] -= lower[i * n + k] * x[k];
                }
                x[i] /= lower[i * n + i];
            }
            for (int i = n - 1; i >= 0; i--) {
                for (int k = i + 1; k < n; k++) {
                    x[i] -= lower[k * n + i] * x[k];
                }
                x[i] /= lower[i * n + i];
            }
            for (int i = 0; i < n; i++) {
                inverse[i * n + column] = x[i];
            }
        }
        return Matrices.transposed(cholesky(inverse, n), n, n);
    }

    /** L, lower triangular, with {@code A = L Lᵀ}. */
    private static double[] cholesky(double[] a, int n) {
        double[] l = new double[n * n];
        for (int j = 0; j < n; j++) {
            for (int i = j; i < n; i++) {
                double sum = a[i * n + j];
                for (int k = 0; k < j; k++) {
                    sum -= l[i * n + k] * l[j * n + k];
                }
                if (i == j && !(sum > 0)) {
                    throw new ArithmeticException("the Hessian is not positive definite at " + i);
                }
                l[i * n + j] = i == j ? Math.sqrt(sum) : sum / l[j * n + j];
            }
        }
        return l;
    }
}
