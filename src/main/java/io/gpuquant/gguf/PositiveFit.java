package io.gpuquant.gguf;

import java.util.Arrays;

/** Searches a scale for what is not negative, the scales and minima of a block: {@code x ≈ scale · l}, l from 0 to {@code largest}. */
final class PositiveFit {

    /** Scales tried on either side of the one that maps the largest value to the largest level. */
    private static final int TRIES = 4;

    private static final int PASSES = 5;

    private PositiveFit() {}

    /**
     * The best of nine scales, improved by coordinate descent over levels.
     *
     * @param weights how much the error of each value counts
     * @param levels gets the levels, each as an unsigned byte
     */
    static float search(float[] x, int largest, float[] weights, byte[] levels) {
        float max = 0;
        for (float value : x) {
            max = max > value ? max : value;
        }
        if (max < Rounding.NEGLIGIBLE) {
            Arrays.fill(levels, (byte) 0);
            return 0;
        }
        float inverse = bestInverse(x, max, largest, weights);
        float sumXl = 0;
        float sumL2 = 0;
        for (int i = 0; i < x.length; i++) {
            int level = Math.min(largest, Rounding.nearest(inverse * x[i]));
            levels[i] = (byte) level;
            sumXl += weights[i] * x[i] * level;
            sumL2 += weights[i] * level * level;
        }
        boolean changed = true;
        for (int pass = 0; pass < PASSES && changed; pass++) {
            changed = false;
            for (int i = 0; i < x.length; i++) {
                int level = levels[i] & 0xff;
                float otherXl = sumXl - weights[i] * x[i] * level;
                float otherL2 = sumL2 - weights[i] * level * level;
                if (!(otherXl > 0 && otherL2 > 0)) {
                    continue;
                }
                int next = Math.min(largest, Rounding.nearest(x[i] * otherL2 / otherXl));
                if (next == level) {
                    continue;
                }
                otherXl += weights[i] * x[i] * next;
                otherL2 += weights[i] * next * next;
                if (otherXl * otherXl * sumL2 > sumXl * sumXl * otherL2) {
                    levels[i] = (byte) next;
                    sumXl = otherXl;
                    sumL2 = otherL2;
                    changed = true;
                }
            }
        }
        return sumL2 > 0 ? sumXl / sumL2 : 0;
    }

    private static float bestInverse(float[] x, float max, int largest, float[] weights) {
        float inverse = largest / max;
        float scale = 1 / inverse;
        float best = 0;
        for (int i = 0; i < x.length; i++) {
            float difference = x[i] - scale * (Rounding.nearest(inverse * x[i]) & 0xff);
            best += weights[i] * difference * difference;
        }
        for (int step = -TRIES; step <= TRIES; step++) {
            if (step == 0) {
                continue;
            }
            float tried = (0.1f * step + largest) / max;
            float triedScale = 1 / tried;
            float error = 0;
            for (int i = 0; i < x.length; i++) {
                int level = Math.min(largest, Rounding.nearest(tried * x[i]));
                float difference = x[i] - triedScale * level;
                error += weights[i] * difference * difference;
            }
            if (error < best) {
                best = error;
                inverse = tried;
            }
        }
        return inverse;
    }

    /** The largest value, at least zero. */
    static float largest(float[] x) {
        float max = 0;
        for (float value : x) {
            max = value > max ? value : max;
        }
        return max;
    }
}
