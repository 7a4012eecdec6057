package io.gpuquant.gguf;

/** The sixteen values that four bits stand for in IQ4_NL and IQ4_XS, and the search of a scale for them. */
final class Codebook {

    private static final byte[] VALUES = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

    /** Scales tried on either side of the one that maps the largest weight to the lowest value. */
    private static final int TRIES = 7;

    private Codebook() {}

    /** What a level stands for. */
    static int value(int level) {
        return VALUES[level];
    }

    /** The level of the nearest value; of two the upper. */
    static int level(float scaled) {
        float twice = scaled + scaled;
        int level = 0;
        for (int step = VALUES.length / 2; step > 0; step /= 2) {
            int candidate = level + step;
            level = twice >= VALUES[candidate - 1] + VALUES[candidate] ? candidate : level;
        }
        return level;
    }

    /** The scale with the least weighted squared error among sixteen; zero where all weights are negligible. */
    static float searchScale(float[] x, float[] weights) {
        float largest = SymmetricFit.signedLargest(x, 0, x.length);
        if (Math.abs(largest) < Rounding.NEGLIGIBLE) {
            return 0;
        }
        float scale = 0;
        float best = 0;
        for (int attempt = -TRIES - 1; attempt <= TRIES; attempt++) {
            boolean first = attempt < -TRIES;
            float inverse = first ? 1 / (-largest / VALUES[0]) : (attempt + VALUES[0]) / largest;
            float sumXq = 0;
            float sumQ2 = 0;
            for (int i = 0; i < x.length; i++) {
                float value = VALUES[level(inverse * x[i])];
                float weighted = weights[i] * value;
                sumXq += weighted * x[i];
                sumQ2 += weighted * value;
            }
            if (first ? sumQ2 > 0 : sumQ2 > 0 && sumXq * sumXq > best * sumQ2) {
                scale = sumXq / sumQ2;
                best = scale * sumXq;
            }
        }
        return scale;
    }
}
