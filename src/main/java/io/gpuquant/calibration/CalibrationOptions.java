package io.gpuquant.calibration;

/**
 * How much of a text calibrates.
 *
 * @param sequenceLength tokens of a sequence, at most what the model can take
 * @param samples the most sequences to use
 * @param seed decides which, when there are more
 */
public record CalibrationOptions(int sequenceLength, int samples, long seed) {

    public CalibrationOptions {
        if (sequenceLength < 1 || samples < 1) {
            throw new IllegalArgumentException(samples + " samples of " + sequenceLength + " tokens");
        }
    }
}
