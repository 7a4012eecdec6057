package io.gpuquant.gguf;

import java.util.Arrays;

/** Searches a scale for signed levels: {@code x ≈ scale · l} with l from {@code -half} to {@code half - 1}. */
final class SymmetricFit {

    /** Scales tried on either side of the one that maps the largest weight to the lowest level. */
    private static final int TRIES = 9;

    private static final int PASSES = 5;

    private SymmetricFit() {}

    /** The first weight of the largest magnitude, with its sign. */
    static float signedLargest(float[] x, int from, int count) {
        float magnitude = 0;
        for (int i = from; i < from + count; i++) {
            magnitude = Math.max(magnitude, Math.abs(x[i]));
        }
        for (int i = from; i < from + count && magnitude > 0; i++) {
            if (Math.abs(x[i]) == magnitude) {
                return x[i];
            }
        }
        return 0;
    }

    /**
     * The scale with the least weighted squared error among nineteen.
     *
     * @param weights how much the error of each x counts
     * @param levels gets {@code l + half} at {@code to}; zeros where all weights are negligible
     */
    static float search(float[] x, float[] weights, int half, byte[] levels, int to) {
        float largest = signedLargest(x, 0, x.length);
        if (Math.abs(largest) < Rounding.NEGLIGIBLE) {
            Arrays.fill(levels, to, to + x.length, (byte) 0);
            return 0;
        }
        float inverse = -half / largest;
        float bestInverse = inverse;
        float scale = 0;
        float best = 0;
        for (int attempt = 0; attempt <= 2 * TRIES; attempt++) {
            if (attempt > 0) {
                int step = attempt <= TRIES ? attempt - TRIES - 1 : attempt - TRIES;
                inverse = -(half + 0.1f * step) / largest;
            }
            float sumXl = 0;
            float sumL2 = 0;
            for (int i = 0; i < x.length; i++) {
                float value = x[i];
                int level = Rounding.nearest(inverse * value, -half, half - 1);
                sumXl += weights[i] * value * level;
                sumL2 += weights[i] * level * level;
            }
            if (attempt == 0) {
                scale = sumL2 != 0 ? sumXl / sumL2 : 0;
                best = scale * sumXl;
            } else if (sumL2 > 0 && sumXl * sumXl > best * sumL2) {
                scale = sumXl / sumL2;
                best = scale * sumXl;
                bestInverse = inverse;
            }
        }
        for (int i = 0; i < x.length; i++) {
            levels[to + i] = (byte) (half + Rounding.nearest(bestInverse * x[i], -half, half - 1));
        }
        return scale;
    }

    /**
     * The scale that coordinate descent over levels ends at, with errors weighted by {@code x²}.
     *
     * @param levels gets {@code l + half} at {@code to}; zeros where all weights are negligible
     */
    static float descend(float[] x, int half, byte[] levels, int to) {
        float largest = signedLargest(x, 0, x.length);
        if (Math.abs(largest) < Rounding.NEGLIGIBLE) {
            Arrays.fill(levels, to, to + x.length, (byte) 0);
            return 0;
        }
        float inverse = -half / largest;
        float sumXl = 0;
        float sumL2 = 0;
        for (int i = 0; i < x.length; i++) {
            int level = Rounding.nearest(inverse * x[i], -half, half - 1);
            levels[to + i] = (byte) level;
            float weight = x[i] * x[i];
            sumXl += weight * x[i] * level;
            sumL2 += weight * level * level;
        }
        boolean changed = true;
        for (int pass = 0; pass < PASSES && changed; pass++) {
            changed = false;
            for (int i = 0; i < x.length; i++) {
                float weight = x[i] * x[i];
                int level = levels[to + i];
                float otherXl = sumXl - weight * x[i] * level;
                if (!(otherXl > 0)) {
                    continue;
                }
                float otherL2 = sumL2 - weight * level * level;
                int next = Rounding.nearest(x[i] * otherL2 / otherXl, -half, half - 1);
                if (next == level) {
                    continue;
                }
                otherXl += weight * x[i] * next;
                otherL2 += weight * next * next;
                if (otherL2 > 0 && otherXl * otherXl * sumL2 > sumXl * sumXl * otherL2) {
                    levels[to + i] = (byte) next;
                    sumXl = otherXl;
                    sumL2 = otherL2;
                    changed = true;
                }
            }
        }
        for (int i = 0; i < x.length; i++) {
            levels[to + i] += (byte) half;
        }
        return sumL2 > 0 ? sumXl / sumL2 : 0;
    }
}
