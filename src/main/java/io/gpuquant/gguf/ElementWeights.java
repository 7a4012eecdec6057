package io.gpuquant.gguf;

/** How much the error of each weight counts in a search. */
final class ElementWeights {

    private ElementWeights() {}

    /** {@code Σ x²}, in order. */
    static float sumOfSquares(float[] x, int from, int count) {
        float sum = 0;
        for (int i = from; i < from + count; i++) {
            sum += x[i] * x[i];
        }
        return sum;
    }

    /** {@code x²}. */
    static void squares(float[] x, int from, int count, float[] target) {
        for (int i = 0; i < count; i++) {
            target[i] = x[from + i] * x[from + i];
        }
    }

    /** {@code importance · sqrt(spread + x²)}. */
    static void important(float[] x, int from, int count, float[] importance, float spread, float[] target) {
        for (int i = 0; i < count; i++) {
            float value = x[from + i];
            target[i] = importance[from + i] * (float) Math.sqrt(spread + value * value);
        }
    }

    /** {@code base + |x|}. */
    static void magnitudes(float[] x, int from, int count, float base, float[] target) {
        for (int i = 0; i < count; i++) {
            target[i] = base + Math.abs(x[from + i]);
        }
    }

    /** The sum of the first {@code count}, in order. */
    static float sum(float[] weights, int count) {
        float sum = 0;
        for (int i = 0; i < count; i++) {
            sum += weights[i];
        }
        return sum;
    }
}
