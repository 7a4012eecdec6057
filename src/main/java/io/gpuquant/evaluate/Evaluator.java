package io.gpuquant.evaluate;

import io.gpuquant.calibration.TokenSequences;
import io.gpuquant.device.Device;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.WeightSource;
import java.util.List;
import java.util.function.IntConsumer;

/** Runs models over sequences, layer by layer over all of them, and scores every token. */
public final class Evaluator {

    private final Device device;
    private final List<EvaluatedModel> models;

    /**
     * For one model.
     *
     * @throws io.gpuquant.InputException when a tensor is missing or has another shape than the structure's
     */
    public Evaluator(Device device, ModelStructure structure, WeightSource source) {
        this(device, List.of(new EvaluatedModel(structure, source)));
    }

    /**
     * For models that are compared with the first; all must have the same layers, hidden size and vocabulary.
     *
     * @throws IllegalArgumentException when they do not
     * @throws io.gpuquant.InputException when a tensor is missing or has another shape than the structure's
     */
    public Evaluator(Device device, List<EvaluatedModel> models) {
        this.device = device;
        this.models = List.copyOf(models);
        ModelStructure first = this.models.getFirst().structure();
        for (EvaluatedModel model : this.models) {
            model.structure().requireTensors(model.weights());
            if (!isComparable(first, model.structure())) {
                throw new IllegalArgumentException("models of different extents cannot be compared");
            }
        }
    }

    /** Whether two models predict the same tokens through layers of the same number and width. */
    public static boolean isComparable(ModelStructure one, ModelStructure other) {
        return one.layers().size() == other.layers().size()
                && one.config().hiddenSize() == other.config().hiddenSize()
                && one.config().vocabSize() == other.config().vocabSize();
    }

    /**
     * Scores all sequences by the first model.
     *
     * @param layersDone told the number of layers done, after each
     */
    public TokenScores score(TokenSequences sequences, IntConsumer layersDone) {
        try (SideBySide run = new SideBySide(device, models.subList(0, 1), sequences, Depth.LAYERS)) {
            return run.run(layersDone).getFirst().tokens();
        }
    }

    /** How far a comparison looks into models. */
    public enum Depth {
        /** The residual stream after each layer. */
        LAYERS,
        /** The weights of each linear too, and what they make of the first model's inputs. */
        LINEARS
    }

    /** Scores all sequences by all models, and compares each with the first. */
    public List<ModelScores> compare(TokenSequences sequences, Depth depth, IntConsumer layersDone) {
        try (SideBySide run = new SideBySide(device, models, sequences, depth)) {
            return run.run(layersDone);
        }
    }
}
