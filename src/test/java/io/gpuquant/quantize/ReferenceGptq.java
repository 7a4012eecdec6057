package io.gpuquant.quantize;

import java.util.Arrays;

/**
 * GPTQ as published (Frantar et al., arXiv 2210.17323), in float64 and without blocks: the damped Hessian is inverted, and
 * after each column the inverse of what is left of the Hessian is updated by one step of elimination. As this project does
 * and the published code does not, a group finds its grid in the weights as they are when the turn of its first column
 * comes, and scales are rounded to F16 before anything is rounded to them.
 */
final class ReferenceGptq {

    /** Who decides on grids and codes. */
    interface Decisions {

        ReferenceGrid grid(int row, int group, double[] weights);

        int code(int row, int feature, ReferenceGrid grid, double weight);
    }

    /** What came of it, in the order of the input features. */
    @SuppressWarnings("ArrayRecordComponent") // Arrays are compared element by element.
    record Result(int in, int[] codes, double[] errors) {

        int[] codesOf(int row) {
            return Arrays.copyOfRange(codes, row * in, (row + 1) * in);
        }
    }

    private final SyntheticStage stage;
    private final ReferenceScheme scheme;
    private final Decisions decisions;
    private final int in;
    private final double[] running;
    private final double[] inverse;
    private final ReferenceGrid[] grids;

    private ReferenceGptq(SyntheticStage stage, double damping, ReferenceScheme scheme, Decisions decisions) {
        this.stage = stage;
        this.scheme = scheme;
        this.decisions = decisions;
        in = stage.in();
        running = stage.exactWeights();
        inverse = Inverse.of(damped(stage, damping), in);
        grids = new ReferenceGrid[stage.rows() * scheme.groups()];
    }

    /** Quantizes with decisions by the book. */
    static Result quantize(SyntheticStage stage, double damping, ReferenceScheme scheme) {
        return follow(stage, damping, scheme, new Decisions() {
            @Override
            public ReferenceGrid grid(int row, int group, double[] weights) {
                return ReferenceGrid.of(weights, scheme.grid());
            }

            @Override
            public int code(int row, int feature, ReferenceGrid grid, double weight) {
                return grid.code(weight);
            }
        });
    }

    /** Quantizes with decisions of another, each of which is told what it should be decided on. */
    static Result follow(SyntheticStage stage, double damping, ReferenceScheme scheme, Decisions decisions) {
        return new ReferenceGptq(stage, damping, scheme, decisions).run();
    }

    /** The Hessian that the method minimizes: damped, with ones for dead features. */
    private static double[] damped(SyntheticStage stage, double damping) {
        int n = stage.in();
        double[] hessian = new double[n * n];
        for (int i = 0; i < hessian.length; i++) {
            hessian[i] = stage.gram()[i];
        }
        double added = damping * stage.meanDiagonal();
        for (int i = 0; i < n; i++) {
            hessian[i * n + i] = hessian[i * n + i] == 0 ? 1 : hessian[i * n + i] + added;
        }
        return hessian;
    }

    private Result run() {
        int[] codes = new int[running.length];
        double[] errors = new double[running.length];
        if (scheme.staticGroups()) {
            for (int feature = 0; feature < in; feature++) {
                findGrids(feature);
            }
        }
        for (int feature : scheme.order()) {
            findGrids(feature);
            for (int row = 0; row < stage.rows(); row++) {
                int at = row * in + feature;
                ReferenceGrid grid = grids[scheme.groupIndex()[feature] * stage.rows() + row];
                codes[at] = decisions.code(row, feature, grid, running[at]);
                double value = grid.value(codes[at]);
                errors[at] = stage.weights()[at] - value;
                double error = (running[at] - value) / inverse[feature * in + feature];
                for (int other = 0; other < in; other++) {
                    running[row * in + other] -= error * inverse[feature * in + other];
                }
            }
            eliminate(feature);
        }
        return new Result(in, codes, errors);
    }

    /** Finds the grids of a feature's group in every row, unless they are known. */
    private void findGrids(int feature) {
        int group = scheme.groupIndex()[feature];
        if (grids[group * stage.rows()] != null) {
            return;
        }
        // In the order of their turns, as kernels see them.
        int[] members = Arrays.stream(scheme.order())
                .filter(other -> scheme.groupIndex()[other] == group)
                .toArray();
        for (int row = 0; row < stage.rows(); row++) {
            int first = row * in;
            double[] weights = Arrays.stream(members)
                    .mapToDouble(member -> running[first + member])
                    .toArray();
            grids[group * stage.rows() + row] = decisions.grid(row, group, weights);
        }
    }

    /** The inverse of the Hessian without a feature, from that with it; the feature's row and column become zero. */
    private void eliminate(int feature) {
        double pivot = inverse[feature * in + feature];
        double[] row = Arrays.copyOfRange(inverse, feature * in, (feature + 1) * in);
        for (int i = 0; i < in; i++) {
            double factor = row[i] / pivot;
            if (factor != 0) {
                for (int j = 0; j < in; j++) {
                    inverse[i * in + j] -= factor * row[j];
                }
            }
        }
    }

    /** Gauss and Jordan's inverse of a positive definite matrix. */
    private static final class Inverse {

        static double[] of(double[] matrix, int n) {
            double[] a = matrix.clone();
            for (int pivot = 0; pivot < n; pivot++) {
                double value = a[pivot * n + pivot];
                if (!(value > 0)) {
                    throw new ArithmeticException("the Hessian is not positive definite at " + pivot);
                }
                a[pivot * n + pivot] = 1;
                for (int j = 0; j < n; j++) {
                    a[pivot * n + j] /= value;
                }
                for (int i = 0; i < n; i++) {
                    double factor = a[i * n + pivot];
                    if (i != pivot && factor != 0) {
                        a[i * n + pivot] = 0;
                        for (int j = 0; j < n; j++) {
                            a[i * n + j] -= factor * a[pivot * n + j];
                        }
                    }
                }
            }
            return a;
        }
    }
}
