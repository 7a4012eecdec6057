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

    private final GgmlType type;
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

    /** For Q2_K, Q4_K or Q5_K. */
    AffineSuperBlock(GgmlType type) {
        this.type = type;
        AffineFit.Search search = switch (type) {
            case Q2_K -> new AffineFit.Search(3, -0.5f, 0.1f, 16, true);
            case Q4_K -> new AffineFit.Search(15, -1f, 0.1f, 21, false);
            case Q5_K -> new AffineFit.Search(31, -0.5f, 0.1f, 16, false);
            default -> throw new IllegalArgumentException(type + " has no minima of groups");
        };
        groupSize = type == GgmlType.Q2_K ? 16 : WIDE;
        largestScale = type == GgmlType.Q2_K ? 15 : 63;
        largestLevel = search.largest();
        this.plain = new AffineFit(search);
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
        return scaleCodes[group];
    }

    /** The integer minimum of a group. */
    int min(int group) {
        return minCodes[group];
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
        settle();
        roundAgain(row, from);
    }

    /**
     * Makes of the integers what a reader will see of them. A search whose sums cancel may leave an integer beyond its largest,
     * and ggml then packs bits of it into its neighbour's place.
     */
    private void settle() {
        switch (type) {
            case Q2_K -> {
                for (int group = 0; group < scales.length; group++) {
                    minCodes[group] = (byte) ((minCodes[group] | scaleCodes[group] >> 4) & largestScale);
                    scaleCodes[group] &= (byte) largestScale;
                }
            }
            case Q4_K -> {
                settleSixBits(scaleCodes);
                settleSixBits(minCodes);
            }
            default -> {
                for (int group = 0; group < scales.length; group++) {
                    scaleCodes[group] = (byte) Math.min(largestScale, scaleCodes[group] & 0xff);
                    minCodes[group] = (byte) Math.min(largestScale, minCodes[group] & 0xff);
                }
            }
        }
    }

    /** The upper two bits of the first four bytes are those of the last four integers, see {@link SuperBlocks#putSixBits}. */
    private static void settleSixBits(byte[] codes) {
        int half = codes.length / 2;
        for (int group = 0; group < half; group++) {
            int last = codes[group + half];
            codes[group + half] = (byte) (last & 15 | ((last >> 4 | codes[group] >> 6) & 3) << 4);
            codes[group] &= 63;
        }
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
