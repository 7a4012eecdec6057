package io.gpuquant.quantize;

import io.gpuquant.kernels.QuantizationGrid;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * The grid of a group as its rule says, in float64: range, scale in F16, zero point; with the search, the range with the
 * least sum of squared errors of those from 100 to 21 percent.
 */
record ReferenceGrid(double scale, int zero, int largest) {

    private static final double LARGEST_HALF = 65504;
    private static final double SMALLEST_HALF = 0x1p-24;

    /** By how much, of itself, a scale may be off before it is rounded to F16. */
    private static final double SCALE_ERROR = 1e-5;

    /** How much a zero point may be off before it is rounded. */
    private static final double ZERO_ERROR = 0.01;

    /** How much more another range of the search may lose for float32 to prefer it. */
    private static final double NEAR_BEST = 1e-4;

    /** A range of weights that a grid may be made to cover. */
    private record Range(double lo, double hi) {

        Range part(int percent) {
            return new Range(lo * percent / 100, hi * percent / 100);
        }

        /** The grid when the scale before rounding is off by a part of itself, and the zero point by something. */
        ReferenceGrid grid(QuantizationGrid rule, double scaleError, double zeroError) {
            int largest = rule.largestCode();
            double scale = half((hi - lo) / largest * (1 + scaleError));
            if (rule.symmetric()) {
                return new ReferenceGrid(scale, rule.middle(), largest);
            }
            double zero = Math.rint(-lo / scale + zeroError);
            return zero < rule.smallestZero()
                    ? new ReferenceGrid(half(hi / (largest - 1) * (1 + scaleError)), rule.smallestZero(), largest)
                    : new ReferenceGrid(scale, (int) Math.clamp(zero, 0, largest), largest);
        }

        /** Every grid that rounding errors may lead to. */
        Set<ReferenceGrid> grids(QuantizationGrid rule) {
            Set<ReferenceGrid> grids = new LinkedHashSet<>();
            for (int i = -1; i <= 1; i++) {
                for (int j = -1; j <= 1; j++) {
                    grids.add(grid(rule, i * SCALE_ERROR, j * ZERO_ERROR));
                }
            }
            return grids;
        }
    }

    static ReferenceGrid of(double[] group, QuantizationGrid rule) {
        List<Range> ranges = ranges(group, rule);
        ReferenceGrid best = ranges.getFirst().grid(rule, 0, 0);
        for (Range range : ranges) {
            ReferenceGrid candidate = range.grid(rule, 0, 0);
            if (candidate.loss(group) < best.loss(group)) {
                best = candidate;
            }
        }
        return best;
    }

    private static List<Range> ranges(double[] group, QuantizationGrid rule) {
        double lo = 0;
        double hi = 0;
        for (double weight : group) {
            lo = Math.min(lo, weight);
            hi = Math.max(hi, weight);
        }
        if (rule.symmetric()) {
            hi = Math.max(hi, -lo);
            lo = -hi;
        }
        Range full = lo == 0 && hi == 0 ? new Range(-1, 1) : new Range(lo, hi);
        int least = rule.search() == QuantizationGrid.Search.MSE ? 21 : 100;
        List<Range> ranges = new ArrayList<>();
        for (int percent = 100; percent >= least; percent--) {
            ranges.add(full.part(percent));
        }
        return ranges;
    }

    private static double half(double value) {
        return Float.float16ToFloat(Float.floatToFloat16((float) Math.clamp(value, SMALLEST_HALF, LARGEST_HALF)));
    }

    /**
     * Whether rounding errors alone may lead to this grid when the weights are these: it is that of some range, and no other
     * range loses less whatever its grid is rounded to.
     */
    boolean isExplainedBy(double[] group, QuantizationGrid rule) {
        double limit = Double.POSITIVE_INFINITY;
        boolean found = false;
        for (Range range : ranges(group, rule)) {
            double most = 0;
            for (ReferenceGrid grid : range.grids(rule)) {
                found |= grid.equals(this);
                most = Math.max(most, grid.loss(group));
            }
            limit = Math.min(limit, most);
        }
        return found && loss(group) <= limit * (1 + NEAR_BEST);
    }

    /** The code of a weight before it is rounded and limited. */
    double exactCode(double weight) {
        return weight / scale + zero;
    }

    int code(double weight) {
        return (int) Math.clamp(Math.rint(weight / scale) + zero, 0, largest);
    }

    double value(int code) {
        return scale * (code - zero);
    }

    private double loss(double[] group) {
        double loss = 0;
        for (double weight : group) {
            double error = weight - value(code(weight));
            loss += error * error;
        }
        return loss;
    }
}
