package io.gpuquant.model;

import java.util.List;

/**
 * The rotary position embedding of a model: the angle of position p in pair i is {@code p · f(i)}, with
 * {@code f(i) = theta^(-2i / d)} before scaling (Su et al., RoFormer, arXiv:2104.09864), where d elements of a head are
 * rotated, most often all. Pair i of a head is its elements i and {@code i + d / 2}.
 *
 * <p>Transformers computes frequencies and angles in float32, and so does this class, step by step: at position 2048 the
 * cosines of exact frequencies are up to 1.4e-4 away from those that models are trained and run with, and the error
 * grows with the position. Measured against transformers 5.23 on torch 2.15 for head dimensions 32, 64 and 128, bases
 * 10,000 and 500,000, and all supported scalings: equal frequencies, and cosines and sines within 6e-8 up to position
 * 8191. For some other pairs of base and head dimension, 1,000,000 and 128 among them, the power function of torch is off
 * by one unit in the last place in a few frequencies.
 *
 * @see <a
 *     href="https://github.com/huggingface/transformers/blob/main/src/transformers/modeling_rope_utils.py">transformers,
 *     modeling_rope_utils.py</a>
 */
final class RotaryEmbedding {

    private final float[] inverseFrequencies;
    private final float[] longFrequencies;
    private final float magnitude;
    private final int originalContext;

    /**
     * @param headDim elements of one attention head; even
     * @throws IllegalArgumentException when no even and positive number of them is rotated
     */
    RotaryEmbedding(RopeParameters rope, int headDim) {
        int rotated = rope.rotaryDim(headDim);
        if (rotated < 2 || rotated % 2 != 0) {
            throw new IllegalArgumentException("head dimension " + rotated + " is not even and positive");
        }
        float[] unscaled = powers(rope.theta(), rotated);
        switch (rope.scaling()) {
            case RopeScaling.LongRope longRope -> {
                inverseFrequencies = inverses(unscaled, longRope.shortFactors());
                longFrequencies = inverses(unscaled, longRope.longFactors());
                magnitude = (float) longRope.magnitude();
                originalContext = longRope.originalContext();
            }
            case RopeScaling.None() -> {
                inverseFrequencies = inverses(unscaled, List.of());
                longFrequencies = inverseFrequencies;
                magnitude = 1;
                originalContext = Integer.MAX_VALUE;
            }
            case RopeScaling.Linear(double factor) -> {
                inverseFrequencies = divided(inverses(unscaled, List.of()), (float) factor);
                longFrequencies = inverseFrequencies;
                magnitude = 1;
                originalContext = Integer.MAX_VALUE;
            }
            case RopeScaling.Yarn yarn -> {
                inverseFrequencies = interpolated(unscaled, rope.theta(), yarn);
                longFrequencies = inverseFrequencies;
                magnitude = (float) yarn.magnitude();
                originalContext = Integer.MAX_VALUE;
            }
            case RopeScaling.Llama3 llama3 -> {
                inverseFrequencies = stretched(inverses(unscaled, List.of()), llama3);
                longFrequencies = inverseFrequencies;
                magnitude = 1;
                originalContext = Integer.MAX_VALUE;
            }
        }
    }

    /** An embedding with these frequencies, the angles per position, for sequences of any length. */
    RotaryEmbedding(float[] inverseFrequencies) {
        this.inverseFrequencies = inverseFrequencies.clone();
        longFrequencies = this.inverseFrequencies;
        magnitude = 1;
        originalContext = Integer.MAX_VALUE;
    }

    /** The angle per position of each rotated pair of elements in radians, for sequences of no more than the usual length. */
    float[] inverseFrequencies() {
        return inverseFrequencies.clone();
    }

    /**
     * Cosines and sines for the positions 0 to {@code positions - 1} of sequences of that length.
     *
     * @throws IllegalArgumentException when {@code positions} is negative or the table exceeds 2^31-1 elements
     */
    Tables tables(int positions) {
        float[] frequencies = positions > originalContext ? longFrequencies : inverseFrequencies;
        int pairs = frequencies.length;
        if (positions < 0 || (long) positions * pairs > Integer.MAX_VALUE) {
            throw new IllegalArgumentException("no table for " + positions + " positions of " + pairs + " pairs");
        }
        float[] cos = new float[positions * pairs];
        float[] sin = new float[positions * pairs];
        for (int position = 0; position < positions; position++) {
            for (int pair = 0; pair < pairs; pair++) {
                // The product is rounded to float32 on purpose; StrictMath gives the same bits on every machine.
                float angle = position * frequencies[pair];
                cos[position * pairs + pair] = (float) StrictMath.cos(angle) * magnitude;
                sin[position * pairs + pair] = (float) StrictMath.sin(angle) * magnitude;
            }
        }
        return new Tables(positions, pairs, cos, sin);
    }

    /**
     * Cosines and sines of a row of positions.
     *
     * @param positions how many positions, counted from 0
     * @param pairs rotated pairs of a head
     * @param cos float32 [positions, pairs]
     * @param sin float32 [positions, pairs]
     */
    @SuppressWarnings("ArrayRecordComponent") // bulk data on its way to a device, never compared
    record Tables(int positions, int pairs, float[] cos, float[] sin) {}

    private static float[] powers(double theta, int rotated) {
        float[] powers = new float[rotated / 2];
        for (int i = 0; i < powers.length; i++) {
            float exponent = (2 * i) / (float) rotated;
            powers[i] = (float) StrictMath.pow((float) theta, exponent);
        }
        return powers;
    }

    /**
     * One over powers.
     *
     * @param factors what each is multiplied by first; none for one
     */
    private static float[] inverses(float[] powers, List<Double> factors) {
        float[] frequencies = new float[powers.length];
        for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] = 1 / (factors.isEmpty() ? powers[i] : factors.get(i).floatValue() * powers[i]);
        }
        return frequencies;
    }

    private static float[] divided(float[] frequencies, float factor) {
        float[] scaled = new float[frequencies.length];
        for (int i = 0; i < scaled.length; i++) {
            scaled[i] = frequencies[i] / factor;
        }
        return scaled;
    }

    /** transformers, {@code _compute_yarn_parameters}, in its order of float32 operations. */
    private static float[] interpolated(float[] powers, double theta, RopeScaling.Yarn scaling) {
        RopeScaling.YarnTurns turns = scaling.turns();
        int rotated = 2 * powers.length;
        double first = pairThatTurns(turns.fast(), rotated, theta, scaling.originalContext());
        double last = pairThatTurns(turns.slow(), rotated, theta, scaling.originalContext());
        float low = (float) Math.max(turns.isTruncated() ? Math.floor(first) : first, 0);
        float high = (float) Math.min(turns.isTruncated() ? Math.ceil(last) : last, rotated - 1);
        float range = low == high ? 0.001f : high - low;
        float factor = (float) scaling.factor();
        float[] scaled = new float[powers.length];
        for (int i = 0; i < scaled.length; i++) {
            float kept = 1 - Math.clamp((i - low) / range, 0f, 1f);
            scaled[i] = 1 / (factor * powers[i]) * (1 - kept) + 1 / powers[i] * kept;
        }
        return scaled;
    }

    /** The pair of elements, not a whole number, that turns so often within a context. */
    private static double pairThatTurns(double turns, int rotated, double theta, int context) {
        return rotated * Math.log(context / (turns * 2 * Math.PI)) / (2 * Math.log(theta));
    }

    /** transformers, {@code _compute_llama3_parameters}, in its order of float32 operations. */
    private static float[] stretched(float[] frequencies, RopeScaling.Llama3 scaling) {
        float factor = (float) scaling.factor();
        float low = (float) scaling.lowFrequencyFactor();
        float range = (float) (scaling.highFrequencyFactor() - scaling.lowFrequencyFactor());
        float longWave = (float) (scaling.originalContext() / scaling.lowFrequencyFactor());
        float shortWave = (float) (scaling.originalContext() / scaling.highFrequencyFactor());
        float[] scaled = new float[frequencies.length];
        for (int i = 0; i < scaled.length; i++) {
            float frequency = frequencies[i];
            float wavelength = (float) (2 * Math.PI) / frequency;
            if (wavelength > longWave) {
                scaled[i] = frequency / factor;
            } else if (wavelength < shortWave) {
                scaled[i] = frequency;
            } else {
                float smooth = (scaling.originalContext() / wavelength - low) / range;
                scaled[i] = (1 - smooth) * frequency / factor + smooth * frequency;
            }
        }
        return scaled;
    }
}
