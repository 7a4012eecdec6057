package io.gpuquant.quantize;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.factory.DecompositionFactory_DDRM;
import org.ejml.interfaces.decomposition.CholeskyDecomposition_F64;

/** {@link Factorization} in float64 on the processor, for a Hessian on which float32 fails. */
record DoubleFactorization(float[] factor, List<float[]> inverses) {

    /** Matrices of float64 that are held at once. */
    private static final int MATRICES = 3;

    /** Whether this process may hold what a factorization of this size takes. */
    static boolean fits(int n) {
        Runtime runtime = Runtime.getRuntime();
        long free = runtime.maxMemory() - runtime.totalMemory() + runtime.freeMemory();
        return (long) n * n * Double.BYTES * MATRICES < free;
    }

    /**
     * Factors a symmetric matrix.
     *
     * @param upper row-major [n, n], of which the part on and above the diagonal is read
     * @return empty when the matrix is not positive definite
     */
    static Optional<DoubleFactorization> of(float[] upper, int n, BlockPlan plan) {
        DMatrixRMaj reversed = new DMatrixRMaj(n, n);
        for (int i = 0; i < n; i++) {
            for (int j = i; j < n; j++) {
                reversed.set(n - 1 - i, n - 1 - j, upper[i * n + j]);
                reversed.set(n - 1 - j, n - 1 - i, upper[i * n + j]);
            }
        }
        CholeskyDecomposition_F64<DMatrixRMaj> cholesky = DecompositionFactory_DDRM.chol(n, true);
        if (!cholesky.decompose(reversed)) {
            return Optional.empty();
        }
        DMatrixRMaj lower = cholesky.getT(null);
        float[] factor = new float[n * n];
        for (int i = 0; i < n; i++) {
            for (int j = i; j < n; j++) {
                double value = lower.get(n - 1 - i, n - 1 - j);
                if (!Double.isFinite(value)) {
                    return Optional.empty();
                }
                factor[i * n + j] = (float) value;
            }
        }
        List<float[]> inverses = new ArrayList<>();
        for (BlockPlan.Block block : plan.blocks()) {
            inverses.add(invert(lower, n, block));
        }
        return Optional.of(new DoubleFactorization(factor, inverses));
    }

    /** Inverts a diagonal block of R by back substitution, column by column. */
    private static float[] invert(DMatrixRMaj lower, int n, BlockPlan.Block block) {
        int width = block.width();
        double[][] x = new double[width][width];
        for (int column = 0; column < width; column++) {
            x[column][column] = 1 / entry(lower, n, block, column, column);
            for (int row = column - 1; row >= 0; row--) {
                double sum = 0;
                for (int k = row + 1; k <= column; k++) {
                    sum += entry(lower, n, block, row, k) * x[k][column];
                }
                x[row][column] = -sum / entry(lower, n, block, row, row);
            }
        }
        float[] inverse = new float[width * width];
        for (int row = 0; row < width; row++) {
            for (int column = row; column < width; column++) {
                inverse[row * width + column] = (float) x[row][column];
            }
        }
        return inverse;
    }

    private static double entry(DMatrixRMaj lower, int n, BlockPlan.Block block, int row, int column) {
        return lower.get(n - 1 - block.start() - row, n - 1 - block.start() - column);
    }
}
