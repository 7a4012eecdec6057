package io.gpuquant.quantize;

/**
 * The scales of SmoothQuant (Xiao et al., arXiv 2211.10438, equation 4): what an input feature is divided by, and the weights
 * that meet it multiplied with, so that its outliers are shared between both.
 */
public final class Smoothing {

    private static final float LEAST = 1e-5f;

    private Smoothing() {}

    /**
     * One scale per input feature, {@code activation^strength / weight^(1 - strength)}; one where a feature is always zero.
     *
     * @param activations the largest magnitude of each input feature
     * @param weights the largest magnitude of the weights that meet it, over all linears that share the input
     * @param strength how much of the outliers goes into the weights, from 0 to 1
     */
    public static float[] scales(float[] activations, float[] weights, double strength) {
        float[] scales = new float[activations.length];
        for (int i = 0; i < scales.length; i++) {
            double weight = Math.max(weights[i], LEAST);
            double scale = StrictMath.pow(activations[i], strength) / StrictMath.pow(weight, 1 - strength);
            scales[i] = activations[i] == 0 ? 1 : (float) Math.max(scale, LEAST);
        }
        return scales;
    }
}
