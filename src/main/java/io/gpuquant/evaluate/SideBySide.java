package io.gpuquant.evaluate;

import io.gpuquant.calibration.TokenSequences;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.ReductionKernels;
import io.gpuquant.model.ActivationStore;
import io.gpuquant.model.Chunking;
import io.gpuquant.model.Embedding;
import io.gpuquant.model.OutputHead;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.IntConsumer;

/**
 * Runs models over the same sequences, all of them one layer further at a time, so that each can be compared with the first
 * after every layer and over the whole vocabulary of every prediction.
 */
final class SideBySide implements AutoCloseable {

    /** The share of the device's free memory that residual streams may take; layers, chunks and logits need the rest. */
    private static final double STREAM_SHARE = 0.4;

    private static final int VECTOR = 4;

    /** Sums that a squared distance may need. */
    private static final int TERMS = 3;

    private final Device device;
    private final TokenSequences sequences;
    private final Chunking chunking;
    private final Optional<LinearComparison> linears;
    private final List<RunningModel> models = new ArrayList<>();

    /**
     * What was found of each model on the way through the layers.
     *
     * @param errors relative errors of the residual stream, [models][layers]
     * @param weights of the linears, where they were compared
     */
    record LayerFindings(List<double[]> errors, Optional<List<WeightScores>> weights) {}

    /** Embeds the sequences. */
    SideBySide(Device device, List<EvaluatedModel> evaluated, TokenSequences sequences, Evaluator.Depth depth) {
        this.device = device;
        linears = depth == Evaluator.Depth.LINEARS
                ? Optional.of(new LinearComparison(device, evaluated))
                : Optional.empty();
        this.sequences = sequences;
        chunking = Chunking.of(sequences.count(), sequences.length());
        ActivationStore.Placement placement = placement(evaluated);
        try {
            for (EvaluatedModel model : evaluated) {
                RunningModel running = new RunningModel(device, model, chunking, placement);
                models.add(running);
                Embedding.fill(device, model.structure(), model.weights(), sequences::sequence, running.hidden());
            }
        } catch (RuntimeException failure) {
            close();
            throw failure;
        }
    }

    private ActivationStore.Placement placement(List<EvaluatedModel> evaluated) {
        long bytes = evaluated.stream()
                .mapToLong(model -> DType.F32.bytes(
                        chunking.totalTokens() * model.structure().config().hiddenSize()))
                .sum();
        return bytes <= STREAM_SHARE * (double) device.availableBytes()
                ? ActivationStore.Placement.DEVICE
                : ActivationStore.Placement.HOST;
    }

    /**
     * Runs all layers and scores all predictions.
     *
     * @param layersDone told the number of layers done by all models, after each
     */
    List<ModelScores> run(IntConsumer layersDone) {
        LayerFindings layers = runLayers(layersDone);
        List<OutputHead> heads = new ArrayList<>();
        try {
            models.forEach(model -> heads.add(model.openHead()));
            try (PredictionScores scores = new PredictionScores(device, sequences, heads)) {
                for (int chunk = 0; chunk < chunking.count(); chunk++) {
                    scoreChunk(scores, chunk);
                }
                return scores.results(layers);
            }
        } finally {
            heads.forEach(OutputHead::close);
        }
    }

    private LayerFindings runLayers(IntConsumer layersDone) {
        int layers = models.getFirst().layers();
        List<double[]> errors = new ArrayList<>();
        models.forEach(model -> errors.add(new double[layers]));
        for (int layer = 0; layer < layers; layer++) {
            runReference(layer);
            for (RunningModel model : models.subList(1, models.size())) {
                model.runLayer(layer);
            }
            double[] ofLayer = relativeErrors();
            for (int other = 1; other < models.size(); other++) {
                errors.get(other)[layer] = ofLayer[other];
            }
            layersDone.accept(layer + 1);
        }
        return new LayerFindings(errors, linears.map(LinearComparison::scores));
    }

    private void runReference(int layer) {
        if (linears.isEmpty()) {
            models.getFirst().runLayer(layer);
            return;
        }
        try (StageGrams grams = new StageGrams(device)) {
            models.getFirst().runLayer(layer, grams);
            grams.complete();
            linears.get().compare(layer, grams);
        }
    }

    /** Of each model's residual stream: the squared distance to the first model's, over the square of the latter. */
    private double[] relativeErrors() {
        try (ReductionKernels.Sums sums = new ReductionKernels(device).sums(models.size() * TERMS, chunking.count())) {
            for (int chunk = 0; chunk < chunking.count(); chunk++) {
                DeviceMatrix reference = models.getFirst().hidden().open(chunk);
                sums.addDot(0, reference, reference);
                for (int other = 1; other < models.size(); other++) {
                    addDistance(sums, other * TERMS, models.get(other).hidden().open(chunk), reference);
                }
            }
            double[] squares = sums.read();
            double[] errors = new double[models.size()];
            for (int other = 1; other < models.size(); other++) {
                double distance = squares[other * TERMS] - 2 * squares[other * TERMS + 1] + squares[other * TERMS + 2];
                errors[other] = squares[0] == 0 ? 0 : Math.max(0, distance) / squares[0];
            }
            return errors;
        }
    }

    /** Adds to a sum, and to another that is to be subtracted twice, what makes the squared distance of two matrices. */
    private static void addDistance(ReductionKernels.Sums sums, int first, DeviceMatrix x, DeviceMatrix reference) {
        if (x.columns() % VECTOR == 0) {
            sums.addSquaredDifference(first, x, reference);
        } else {
            // Rare widths that do not fall into vectors. The sums are float64, so the difference keeps ten digits.
            sums.addDot(first, x, x);
            sums.addDot(first + 1, x, reference);
            sums.addDot(first + 2, reference, reference);
        }
    }

    private void scoreChunk(PredictionScores scores, int chunk) {
        List<DeviceMatrix> streams =
                models.stream().map(model -> model.hidden().open(chunk)).toList();
        for (int i = 0; i < chunking.sequences(chunk); i++) {
            int first = i * sequences.length();
            scores.score(
                    chunking.firstSequence(chunk) + i,
                    streams.stream()
                            .map(rows -> rows.rows(first, sequences.length()))
                            .toList());
        }
    }

    @Override
    public void close() {
        models.forEach(RunningModel::close);
    }
}
