package io.gpuquant.evaluate;

import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.WeightSource;

/** A model and where its weights come from. */
public record EvaluatedModel(ModelStructure structure, WeightSource weights) {}
