package io.gpuquant.quantize;

import io.gpuquant.kernels.QuantizationGrid;

/** AWQ's searches in float64, from their formulas. Only scales of groups are rounded to F16, because files hold them so. */
public final class ReferenceAwq {

    private ReferenceAwq() {}

    /** Scales of a ratio: {@code x^r / (w^(1-r) + 1e-4)}, or {@code x^r}, over the root of the largest times the least. */
    public static double[] scales(double[] x, double[] w, double ratio, boolean duo) {
        double[] scales = new double[x.length];
        double most = 0;
        double least = Double.POSITIVE_INFINITY;
        for (int i = 0; i < x.length; i++) {
            double s = Math.pow(x[i], ratio);
            s = duo ? s / (Math.pow(w[i], 1 - ratio) + 1e-4) : s;
            scales[i] = Math.max(s, 1e-4);
            most = Math.max(most, scales[i]);
            least = Math.min(least, scales[i]);
        }
        for (int i = 0; i < x.length; i++) {
            scales[i] /= Math.sqrt(most * least);
        }
        return scales;
    }

    /** The mean over all rows of what part each weight is of its group's largest. */
    public static double[] shares(double[][] weights, int groupSize) {
        double[] shares = new double[weights[0].length];
        for (double[] row : weights) {
            for (int i = 0; i < row.length; i++) {
                double most = 0;
                for (int j = i / groupSize * groupSize; j < (i / groupSize + 1) * groupSize; j++) {
                    most = Math.max(most, Math.abs(row[j]));
                }
                shares[i] += Math.abs(row[i]) / (most + 1e-6) / weights.length;
            }
        }
        return shares;
    }

    /** Weights scaled by column, rounded, and scaled back. */
    public static double[][] rounded(double[][] weights, double[] scales, int groupSize, QuantizationGrid grid) {
        double[][] rounded = new double[weights.length][];
        for (int row = 0; row < weights.length; row++) {
            rounded[row] = new double[weights[row].length];
            for (int group = 0; group < weights[row].length; group += groupSize) {
                double[] v = new double[groupSize];
                for (int i = 0; i < groupSize; i++) {
                    v[i] = weights[row][group + i] * scales[group + i];
                }
                double[] q = rounded(v, 1, grid);
                for (int i = 0; i < groupSize; i++) {
                    rounded[row][group + i] = q[i] / scales[group + i];
                }
            }
        }
        return rounded;
    }

    /** A group on the grid of its range cut to {@code fraction}. */
    public static double[] rounded(double[] group, double fraction, QuantizationGrid grid) {
        double lo = 0;
        double hi = 0;
        for (double value : group) {
            lo = Math.min(lo, value);
            hi = Math.max(hi, value);
        }
        double limit = Math.max(hi, -lo) * fraction;
        hi = grid.symmetric() ? limit : Math.min(hi, limit);
        lo = grid.symmetric() ? -limit : Math.max(lo, -limit);
        double scale = Float.float16ToFloat(Float.floatToFloat16((float) ((hi - lo) / grid.largestCode())));
        double zero = grid.symmetric() ? grid.middle() : Math.clamp(Math.rint(-lo / scale), 0, grid.largestCode());
        double[] rounded = new double[group.length];
        for (int i = 0; i < group.length; i++) {
            double code = Math.clamp(Math.rint(group[i] / scale) + zero, 0, grid.largestCode());
            rounded[i] = scale * (code - zero);
        }
        return rounded;
    }

    /** {@code tr((W - Q) G (W - Q)ᵀ)}. */
    public static double gramLoss(double[][] weights, double[][] rounded, double[][] gram) {
        double loss = 0;
        for (int row = 0; row < weights.length; row++) {
            double[] error = new double[gram.length];
            for (int i = 0; i < error.length; i++) {
                error[i] = weights[row][i] - rounded[row][i];
            }
            loss += quadratic(error, gram, 0);
        }
        return loss;
    }

    /** {@code e G eᵀ} with the block of G that begins at a diagonal entry. */
    public static double quadratic(double[] error, double[][] gram, int first) {
        double sum = 0;
        for (int i = 0; i < error.length; i++) {
            for (int j = 0; j < error.length; j++) {
                sum += error[i] * gram[first + i][first + j] * error[j];
            }
        }
        return sum;
    }
}
