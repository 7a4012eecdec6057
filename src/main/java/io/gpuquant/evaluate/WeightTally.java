package io.gpuquant.evaluate;

import java.util.ArrayList;
import java.util.List;

/** {@link WeightScores} while they are being made. */
record WeightTally(List<LinearError> linears, MagnitudeHistogram weights, MagnitudeHistogram errors) {

    WeightTally() {
        this(new ArrayList<>(), new MagnitudeHistogram(), new MagnitudeHistogram());
    }

    WeightScores scores() {
        return new WeightScores(linears, weights, errors);
    }
}
