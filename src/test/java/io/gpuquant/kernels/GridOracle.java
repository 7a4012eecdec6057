package io.gpuquant.kernels;

import io.gpuquant.tensor.BFloat16;

/**
 * The rule by which a group gets its scale and zero point, and a weight its code, in plain Java. Float32 where kernels
 * round to float32; a product of two floats that is rounded to an integer is exact in float64 before.
 */
record GridOracle(short scaleBits, int zero, int largest) {

    private static final float LARGEST_HALF = 65504;
    private static final float LARGEST_OF_BOTH = 65280;
    private static final int PARTS = 8;

    /** The grid of a group. */
    static GridOracle of(float[] group, QuantizationGrid grid) {
        float lo = 0;
        float hi = 0;
        for (float weight : group) {
            if (!Float.isNaN(weight)) {
                lo = Math.min(lo, weight);
                hi = Math.max(hi, weight);
            }
        }
        if (grid.symmetric()) {
            hi = Math.max(hi, -lo);
            lo = -hi;
        }
        if (lo == 0 && hi == 0) {
            lo = -1;
            hi = 1;
        }
        GridOracle best = ofRange(lo, hi, grid);
        if (grid.search() == QuantizationGrid.Search.MSE) {
            float bestLoss = best.loss(group);
            for (int percent = 99; percent > 20; percent--) {
                float fraction = percent / 100f;
                GridOracle candidate = ofRange(lo * fraction, hi * fraction, grid);
                float loss = candidate.loss(group);
                if (loss < bestLoss) {
                    best = candidate;
                    bestLoss = loss;
                }
            }
        }
        return best;
    }

    /** The grid of a range that holds zero and more. */
    static GridOracle ofRange(float lo, float hi, QuantizationGrid grid) {
        int largest = grid.largestCode();
        short scale = storable((hi - lo) / largest, grid);
        if (grid.symmetric()) {
            return new GridOracle(scale, grid.middle(), largest);
        }
        double zero = Math.rint(-(double) lo * (1 / Float.float16ToFloat(scale)));
        if (zero < grid.smallestZero()) {
            return new GridOracle(storable(hi / (largest - 1), grid), 1, largest);
        }
        return new GridOracle(scale, (int) Math.min(zero, largest), largest);
    }

    private static short storable(float scale, QuantizationGrid grid) {
        float stored = grid.bf16Scales()
                ? BFloat16.toFloat(BFloat16.fromFloat(Math.min(scale, LARGEST_OF_BOTH)))
                : Math.min(scale, LARGEST_HALF);
        short half = Float.floatToFloat16(stored);
        return half == 0 ? 1 : half;
    }

    float scale() {
        return Float.float16ToFloat(scaleBits);
    }

    /** The code of a weight. */
    int code(float weight) {
        double steps = Math.rint((double) weight * (1 / scale()));
        return Double.isNaN(steps) ? 0 : (int) Math.clamp(steps + zero, 0, largest);
    }

    /** The weight that a code stands for; exact. */
    float value(int code) {
        return scale() * (code - zero);
    }

    /** What a weight loses. */
    float error(float weight) {
        return weight - value(code(weight));
    }

    /** The sum of squared errors as kernels add it. */
    float loss(float[] group) {
        float[] part = new float[PARTS];
        for (int position = 0; position < group.length; position++) {
            float error = error(group[position]);
            part[position / 4 % PARTS] = Math.fma(error, error, part[position / 4 % PARTS]);
        }
        return sumOfParts(part);
    }

    /** The sum of a sum in eight parts. */
    static float sumOfParts(float... part) {
        return part[0] + part[1] + (part[2] + part[3]) + (part[4] + part[5] + (part[6] + part[7]));
    }
}
