package io.gpuquant.evaluate;

import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.WeightSource;

/**
 * A model and where its weights come from.
 *
 * @param isScaled whether its weights may carry factors that cancel against each other, as AWQ leaves them
 */
public record EvaluatedModel(ModelStructure structure, WeightSource weights, boolean isScaled) {

    /** A model without such factors. */
    public EvaluatedModel(ModelStructure structure, WeightSource weights) {
        this(structure, weights, false);
    }
}
