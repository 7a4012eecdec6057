package io.gpuquant.gguf;

import java.util.Arrays;

/** Searches scale and minimum for unsigned levels: {@code x ≈ scale · l - min} with l from 0 to {@code largest}. */
final class AffineFit {

    private static final int MOST_WEIGHTS = 32;

    /**
     * The inverse scales that are tried: {@code (first + i · step + largest) / (max - min)}.
     *
     * @param largest the largest level
     * @param count how many are tried
     * @param absolute whether absolute errors count, not squared ones
     */
    record Search(int largest, float first, float step, int count, boolean absolute) {

        /** What ggml does with an importance matrix. */
        static Search fine(int largest) {
            return new Search(largest, -0.9f, 0.05f, 37, false);
        }
    }

    private final Search search;
    private final float[] tried = new float[MOST_WEIGHTS];
    private float scale;
    private float min;

    AffineFit(Search search) {
        this.search = search;
    }

    /** The scale that was found. */
    float scale() {
        return scale;
    }

    /** The minimum that was found, negated: at least zero. */
    float min() {
        return -min;
    }

    /**
     * Searches.
     *
     * @param x at most 32 weights
     * @param weights how much the error of each x counts
     * @param levels gets the levels at {@code to}
     */
    void fit(float[] x, float[] weights, byte[] levels, int to) {
        float max = x[0];
        min = max;
        float sumW = weights[0];
        float sumX = sumW * max;
        for (int i = 1; i < x.length; i++) {
            float value = x[i];
            min = value < min ? value : min;
            max = value > max ? value : max;
            sumW += weights[i];
            sumX += weights[i] * value;
        }
        if (min > 0) {
            min = 0;
        }
        if (max <= min) {
            Arrays.fill(levels, to, to + x.length, (byte) 0);
            scale = 0;
            return;
        }
        float inverse = search.largest() / (max - min);
        scale = 1 / inverse;
        round(x, inverse);
        keep(levels, to, x.length);
        float best = error(x, weights, scale, min);
        for (int attempt = 0; attempt < search.count(); attempt++) {
            // The minimum is that of the best fit so far, here and in the levels.
            inverse = (search.first() + search.step() * attempt + search.largest()) / (max - min);
            float sumL = 0;
            float sumL2 = 0;
            float sumXl = 0;
            for (int i = 0; i < x.length; i++) {
                float value = x[i];
                float level = Rounding.nearest(inverse * (value - min), 0, search.largest());
                tried[i] = level;
                float weighted = weights[i] * level;
                sumL += weighted;
                sumL2 += weighted * level;
                sumXl += weighted * value;
            }
            float determinant = sumW * sumL2 - sumL * sumL;
            if (!(determinant > 0)) {
                continue;
            }
            float newScale = (sumW * sumXl - sumX * sumL) / determinant;
            float newMin = (sumL2 * sumX - sumL * sumXl) / determinant;
            if (newMin > 0) {
                newMin = 0;
                newScale = sumXl / sumL2;
            }
            float error = error(x, weights, newScale, newMin);
            if (error < best) {
                keep(levels, to, x.length);
                best = error;
                scale = newScale;
                min = newMin;
            }
        }
    }

    private void round(float[] x, float inverse) {
        for (int i = 0; i < x.length; i++) {
            tried[i] = Rounding.nearest(inverse * (x[i] - min), 0, search.largest());
        }
    }

    private void keep(byte[] levels, int to, int count) {
        for (int i = 0; i < count; i++) {
            levels[to + i] = (byte) tried[i];
        }
    }

    private float error(float[] x, float[] weights, float someScale, float someMin) {
        float sum = 0;
        if (search.absolute()) {
            for (int i = 0; i < x.length; i++) {
                sum += weights[i] * Math.abs(someScale * tried[i] + someMin - x[i]);
            }
            return sum;
        }
        for (int i = 0; i < x.length; i++) {
            float difference = someScale * tried[i] + someMin - x[i];
            sum += weights[i] * (difference * difference);
        }
        return sum;
    }
}
