package io.gpuquant.model;

/**
 * The rotary position embedding of a model: the angle of position p in pair i is {@code p · f(i)}, with
 * {@code f(i) = theta^(-2i / headDim)} before scaling (Su et al., RoFormer, arXiv:2104.09864). Pair i of a head is its
 * elements i and {@code i + headDim / 2}.
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

    /**
     * @param headDim elements of one attention head; even
     * @throws IllegalArgumentException when {@code headDim} is odd or not positive
     */
    RotaryEmbedding(RopeParameters rope, int headDim) {
        if (headDim < 2 || headDim % 2 != 0) {
            throw new IllegalArgumentException("head dimension " + headDim + " is not even and positive");
        }
        float[] unscaled = unscaled(rope.theta(), headDim);
        this.inverseFrequencies = switch (rope.scaling()) {
            case RopeScaling.None() -> unscaled;
            case RopeScaling.Linear(double factor) -> divided(unscaled, (float) factor);
            case RopeScaling.Llama3 llama3 -> stretched(unscaled, llama3);
        };
    }

    /** An embedding with these frequencies, the angles per position. */
    RotaryEmbedding(float[] inverseFrequencies) {
        this.inverseFrequencies = inverseFrequencies.clone();
    }

    /** The angle per position of each pair of elements, [headDim / 2], in radians. */
    float[] inverseFrequencies() {
        return inverseFrequencies.clone();
    }

    /**
     * Cosines and sines for the positions 0 to {@code positions - 1}.
     *
     * @throws IllegalArgumentException when {@code positions} is negative or the table exceeds 2^31-1 elements
     */
    Tables tables(int positions) {
        int pairs = inverseFrequencies.length;
        if (positions < 0 || (long) positions * pairs > Integer.MAX_VALUE) {
            throw new IllegalArgumentException("no table for " + positions + " positions of " + pairs + " pairs");
        }
        float[] cos = new float[positions * pairs];
        float[] sin = new float[positions * pairs];
        for (int position = 0; position < positions; position++) {
            for (int pair = 0; pair < pairs; pair++) {
                // The product is rounded to float32 on purpose; StrictMath gives the same bits on every machine.
                float angle = position * inverseFrequencies[pair];
                cos[position * pairs + pair] = (float) StrictMath.cos(angle);
                sin[position * pairs + pair] = (float) StrictMath.sin(angle);
            }
        }
        return new Tables(positions, pairs, cos, sin);
    }

    /**
     * Cosines and sines of a row of positions.
     *
     * @param positions how many positions, counted from 0
     * @param pairs rotated pairs of a head, headDim / 2
     * @param cos float32 [positions, pairs]
     * @param sin float32 [positions, pairs]
     */
    @SuppressWarnings("ArrayRecordComponent") // bulk data on its way to a device, never compared
    record Tables(int positions, int pairs, float[] cos, float[] sin) {}

    private static float[] unscaled(double theta, int headDim) {
        float[] frequencies = new float[headDim / 2];
        for (int i = 0; i < frequencies.length; i++) {
            float exponent = (2 * i) / (float) headDim;
            frequencies[i] = 1 / (float) StrictMath.pow((float) theta, exponent);
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
