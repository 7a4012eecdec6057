package io.gpuquant.kernels;

import io.gpuquant.tensor.DType;
import java.util.function.Supplier;

/** Attention in float64, and how far from it float32 with rounded weights may be. */
record AttentionOracle(DType dtype, int length, int heads, int keyHeads, int headDim, AttentionRule rule) {

    /** Fails where a result is too far from what it should be. */
    void requireClose(String label, float[] queries, float[] keys, float[] values, float[] results) {
        int tokens = queries.length / (heads * headDim);
        for (int token = 0; token < tokens; token++) {
            for (int head = 0; head < heads; head++) {
                requireClose(label, queries, keys, values, results, token, head);
            }
        }
    }

    private void requireClose(
            String label, float[] queries, float[] keys, float[] values, float[] results, int token, int head) {
        int first = token / length * length;
        int query = token % length;
        int end = rule.causal() ? query + 1 : length;
        int start = rule.window() > 0 ? Math.max(0, query + 1 - rule.window()) : 0;
        int keyHead = head / (heads / keyHeads);
        double[] scores = new double[end - start];
        double largest = Double.NEGATIVE_INFINITY;
        double scoreError = 0;
        for (int key = start; key < end; key++) {
            double sum = 0;
            double size = 0;
            for (int i = 0; i < headDim; i++) {
                double product = (double) queries[(token * heads + head) * headDim + i]
                        * keys[((first + key) * keyHeads + keyHead) * headDim + i];
                sum += product;
                size += Math.abs(product);
            }
            double score = rule.scale() * sum;
            scores[key - start] = rule.cap() > 0 ? rule.cap() * Math.tanh(score / rule.cap()) : score;
            largest = Math.max(largest, scores[key - start]);
            scoreError = Math.max(scoreError, (headDim / 8.0 + 8) * 0x1p-23 * rule.scale() * size);
        }
        double sum = 0;
        double exponentError = 0;
        for (int i = 0; i < scores.length; i++) {
            exponentError = Math.max(exponentError, Math.abs(scores[i]));
            scores[i] = Math.exp(scores[i] - largest);
            sum += scores[i];
        }
        // Of every weight: the score, its product with log2(e), the exponential, the sum, and the weight's own
        // rounding; of a
        // cap the rounding of a number near one.
        double relative = 2 * (scoreError + 4 * exponentError * Bounds.ROUNDING + 8 * rule.cap() * Bounds.EX2)
                + 4 * Bounds.EX2
                + (scores.length / 8.0 + 16) * 0x1p-23
                + Bounds.rounding(dtype, 1);
        for (int i = 0; i < headDim; i++) {
            double exact = 0;
            double size = 0;
            for (int key = start; key < end; key++) {
                double term = scores[key - start] / sum * values[((first + key) * keyHeads + keyHead) * headDim + i];
                exact += term;
                size += Math.abs(term);
            }
            int at = (token * heads + head) * headDim + i;
            int element = i;
            Supplier<String> where = () -> label + ", token " + token + ", head " + head + ", element " + element;
            // A weight too small for float16 becomes a multiple of 2^-24.
            double small = dtype == DType.F16 ? 0x1p-25 * scores.length * 8 : 0;
            Bounds.requireClose(
                    results[at],
                    exact,
                    size * relative + small + 2 * Bounds.rounding(dtype, Math.abs(exact) + size * relative),
                    where);
        }
    }
}
