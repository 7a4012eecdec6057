package io.gpuquant.evaluate;

import java.util.List;

/**
 * The linears of a model beside a reference's. Where a model carries factors that cancel, of a norm or of the linear before
 * against the linear after, as AWQ leaves them, its weights are taken without them.
 *
 * @param linears in the order they are computed, but for experts that no token came to; all errors of the reference itself
 *     are zero
 * @param weights magnitudes of the weights; of large linears, of rows evenly spread
 * @param errors magnitudes of their differences from the reference's; empty for the reference itself
 */
public record WeightScores(List<LinearError> linears, MagnitudeHistogram weights, MagnitudeHistogram errors) {

    public WeightScores {
        linears = List.copyOf(linears);
    }
}
