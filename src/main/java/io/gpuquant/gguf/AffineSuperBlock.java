package io.gpuquant.gguf;

import org.jspecify.annotations.Nullable;

/**
 * 256 weights in groups with a scale and a minimum each, both integer multiples of a unit of the block:
 * {@code x ≈ unit · scale · level - minUnit · min}. Finds all of them; packing is the types' matter.
 */
final class AffineSuperBlock {

    static final int SIZE = 256;

    /** The group size of the types that, without importance, weight errors by more than the magnitude of a weight. */
    private static final int WIDE = 32;

    private final int groupSize;
    private final int largestLevel;
    private final int largestScale;
    private final AffineFit plain;
    private final AffineFit fine;

    private final float[] x;
    private final float[] weights;
    private final float[] scales;
    private final float[] mins;
    private final float[] groupWeights;
    private final byte[] scaleCodes;
    private final byte[] minCodes;
    private final byte[] levels = new byte[SIZE];
    private short unit;
    private short minUnit;

    /**
     * @param plain the search without importance
     * @param largestScale the largest integer scale, one less than a power of two
     */
    AffineSuperBlock(int groupSize, AffineFit.Search plain, int largestScale) {
        this.groupSize = groupSize;
        this.largestLevel = plain.largest();
        this.largestScale = largestScale;
        this.plain = new AffineFit(plain);
        this.fine = new AffineFit(AffineFit.Search.fine(largestLevel));
        int groups = SIZE / groupSize;
        x = new float[groupSize];
        weights = new float[groupSize];
        scales = new float[groups];
        mins = new float[groups];
        groupWeights = new float[groups];
        scaleCodes = new byte[groups];
        minCodes = new byte[groups];
    }

    /** The level of each weight. */
    byte[] levels() {
        return levels;
    }

    /** The integer scale of a group. */
    int scale(int group) {
        return scaleCodes[group] & largestScale;
    }

    /** The integer minimum of a group. */
    int min(int group) {
        return minCodes[group] & largestScale;
    }

    /** The float16 unit of scales. */
    short unit() {
        return unit;
    }

    /** The float16 unit of minima. */
    short minUnit() {
        return minUnit;
    }

    void quantize(float[] row, int from, float @Nullable [] importance) {
        if (importance == null) {
            fit(row, from);
            unit = Rounding.half(spread(scales, scaleCodes));
            minUnit = Rounding.half(spread(mins, minCodes));
        } else {
            fit(row, from, importance);
            unit = Rounding.half(PositiveFit.search(scales, largestScale, groupWeights, scaleCodes));
            minUnit = Rounding.half(PositiveFit.search(mins, largestScale, groupWeights, minCodes));
        }
        roundAgain(row, from);
    }

    private void fit(float[] row, int from) {
        for (int group = 0; group < scales.length; group++) {
            int first = from + group * groupSize;
            float base = groupSize == WIDE
                    ? (float) Math.sqrt(ElementWeights.sumOfSquares(row, first, groupSize) / groupSize)
                    : 0;
            ElementWeights.magnitudes(row, first, groupSize, base, weights);
            fit(plain, row, from, group);
        }
    }

    private void fit(float[] row, int from, float[] importance) {
        float sum = ElementWeights.sumOfSquares(row, from, SIZE);
        float spread = (groupSize == WIDE ? 2 * sum : sum) / SIZE;
        for (int group = 0; group < scales.length; group++) {
            ElementWeights.important(row, from + group * groupSize, groupSize, importance, spread, weights);
            groupWeights[group] = ElementWeights.sum(weights, groupSize);
            fit(fine, row, from, group);
        }
    }

    private void fit(AffineFit fit, float[] row, int from, int group) {
        System.arraycopy(row, from + group * groupSize, x, 0, groupSize);
        fit.fit(x, weights, levels, group * groupSize);
        scales[group] = fit.scale();
        mins[group] = fit.min();
    }

    /** Maps zero and the largest value onto zero and the largest integer. */
    private float spread(float[] values, byte[] codes) {
        float max = PositiveFit.largest(values);
        float inverse = max > 0 ? largestScale / max : 0;
        for (int i = 0; i < values.length; i++) {
            codes[i] = (byte) Math.min(largestScale, Rounding.nearest(inverse * values[i]) & 0xff);
        }
        return max / largestScale;
    }

    /** Levels for the scales that a reader will see; those of the search stay where the scale is zero. */
    private void roundAgain(float[] row, int from) {
        float scaleUnit = Float.float16ToFloat(unit);
        float offsetUnit = Float.float16ToFloat(minUnit);
        for (int group = 0; group < scales.length; group++) {
            float scale = scaleUnit * scale(group);
            if (scale == 0) {
                continue;
            }
            float min = offsetUnit * min(group);
            for (int i = group * groupSize; i < (group + 1) * groupSize; i++) {
                levels[i] = (byte) Rounding.nearest((row[from + i] + min) / scale, 0, largestLevel);
            }
        }
    }
}
