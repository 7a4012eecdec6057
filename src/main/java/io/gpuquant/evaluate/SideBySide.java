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
import java.util.function.IntConsumer;

/**
 * Runs models over the same sequences, all of them one layer further at a time, so that each can be compared with the first
 * after every layer and over the whole vocabulary of every prediction.
 */
final class SideBySide implements AutoCloseable {

    /** The share of the device's memory that residual streams may take; layers, chunks and logits need the rest. */
    private static final double STREAM_SHARE = 0.4;

    private final Device device;
    private final TokenSequences sequences;
    private final Chunking chunking;
    private final List<RunningModel> models = new ArrayList<>();

    /** Embeds the sequences. */
    SideBySide(Device device, List<EvaluatedModel> evaluated, TokenSequences sequences) {
        this.device = device;
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
        return bytes <= STREAM_SHARE * device.memory().limitBytes()
                ? ActivationStore.Placement.DEVICE
                : ActivationStore.Placement.HOST;
    }

    /**
     * Runs all layers and scores all predictions.
     *
     * @param layersDone told the number of layers done by all models, after each
     */
    List<ModelScores> run(IntConsumer layersDone) {
        List<double[]> layerErrors = runLayers(layersDone);
        List<OutputHead> heads = new ArrayList<>();
        try {
            models.forEach(model -> heads.add(model.openHead()));
            try (PredictionScores scores = new PredictionScores(device, sequences, heads)) {
                for (int chunk = 0; chunk < chunking.count(); chunk++) {
                    scoreChunk(scores, chunk);
                }
                return scores.results(layerErrors);
            }
        } finally {
            heads.forEach(OutputHead::close);
        }
    }

    /** Relative errors, [models][layers]. */
    private List<double[]> runLayers(IntConsumer layersDone) {
        int layers = models.getFirst().layers();
        List<double[]> errors = new ArrayList<>();
        models.forEach(model -> errors.add(new double[layers]));
        for (int layer = 0; layer < layers; layer++) {
            for (RunningModel model : models) {
                model.runLayer(layer);
            }
            for (int other = 1; other < models.size(); other++) {
                errors.get(other)[layer] = relativeError(models.get(other));
            }
            layersDone.accept(layer + 1);
        }
        return errors;
    }

    /** The squared distance of a residual stream to the first model's, over the square of the latter. */
    private double relativeError(RunningModel model) {
        ReductionKernels reductions = new ReductionKernels(device);
        double ours = 0;
        double mixed = 0;
        double reference = 0;
        for (int chunk = 0; chunk < chunking.count(); chunk++) {
            DeviceMatrix x = model.hidden().open(chunk);
            DeviceMatrix base = models.getFirst().hidden().open(chunk);
            // Products of float32 numbers and their sums in float64: the difference below keeps ten digits.
            ours += reductions.dot(x, x);
            mixed += reductions.dot(x, base);
            reference += reductions.dot(base, base);
        }
        return reference == 0 ? 0 : Math.max(0, ours - 2 * mixed + reference) / reference;
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
