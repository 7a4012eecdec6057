package io.gpuquant.evaluate;

import io.gpuquant.InputException;
import io.gpuquant.calibration.TokenSequences;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.LossKernels;
import io.gpuquant.model.ActivationStore;
import io.gpuquant.model.Chunking;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.Embedding;
import io.gpuquant.model.LayerPass;
import io.gpuquant.model.LayerWeights;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.OutputHead;
import io.gpuquant.model.WeightSource;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.function.IntConsumer;

/** Runs a model over sequences, layer by layer over all of them, and scores every token. */
public final class Evaluator {

    private final Device device;
    private final ModelStructure structure;
    private final WeightSource source;
    private final DType operandType;

    /**
     * @throws InputException when a tensor is missing or has another shape than the structure's
     */
    public Evaluator(Device device, ModelStructure structure, WeightSource source) {
        structure.requireTensors(source);
        this.device = device;
        this.structure = structure;
        this.source = source;
        operandType = device.operandType(source.dtype(structure.leadingWeight()));
    }

    /**
     * Scores all sequences.
     *
     * @param layersDone told the number of layers done, after each
     */
    public TokenScores score(TokenSequences sequences, IntConsumer layersDone) {
        Chunking chunking = Chunking.of(sequences.count(), sequences.length());
        try (ActivationStore hidden = new ActivationStore(
                device,
                "residual stream",
                chunking,
                DType.F32,
                structure.config().hiddenSize(),
                ActivationStore.Placement.DEVICE)) {
            Embedding.fill(device, structure, source, sequences::sequence, hidden);
            runLayers(chunking, hidden, layersDone);
            return score(sequences, hidden);
        }
    }

    private void runLayers(Chunking chunking, ActivationStore hidden, IntConsumer layersDone) {
        try (LayerPass pass =
                new LayerPass(device, structure.config(), operandType, chunking, LayerPass.Placements.ON_DEVICE)) {
            for (DecoderLayer layer : structure.layers()) {
                try (LayerWeights weights = new LayerWeights(
                        device, layer, source, operandType, structure.config().hiddenSize())) {
                    pass.run(weights, hidden);
                }
                layersDone.accept(layer.index() + 1);
            }
        }
    }

    private TokenScores score(TokenSequences sequences, ActivationStore hidden) {
        float[][] scores = new float[sequences.count()][];
        try (OutputHead head = new OutputHead(device, structure, source, operandType);
                Scorer scorer = new Scorer(device, head)) {
            Chunking chunking = hidden.chunking();
            for (int chunk = 0; chunk < chunking.count(); chunk++) {
                DeviceMatrix rows = hidden.open(chunk);
                for (int i = 0; i < chunking.sequences(chunk); i++) {
                    int sequence = chunking.firstSequence(chunk) + i;
                    scores[sequence] = scorer.score(
                            rows.rows(i * sequences.length(), sequences.length()), sequences.sequence(sequence));
                    requireNumbers(scores[sequence], sequence);
                }
            }
        }
        return new TokenScores(scores);
    }

    private void requireNumbers(float[] scores, int sequence) {
        for (int i = 0; i < scores.length; i++) {
            if (Float.isNaN(scores[i])) {
                throw new InputException("the model gives no number for the token at position " + (i + 1)
                        + " of sequence " + sequence + "; its weights are damaged, or its activations overflow "
                        + operandType);
            }
        }
    }

    /** Scores the tokens of one sequence after another. */
    private static final class Scorer implements AutoCloseable {

        private final Device device;
        private final OutputHead head;
        private final LossKernels loss;
        private final DeviceMatrix targets;
        private final DeviceMatrix results;

        Scorer(Device device, OutputHead head) {
            this.device = device;
            this.head = head;
            loss = new LossKernels(device.stream());
            targets = DeviceMatrix.allocate(device, "target tokens", DType.I32, 1, head.mostRows());
            results = DeviceMatrix.allocate(device, "log-probabilities", DType.F32, 1, head.mostRows());
        }

        float[] score(DeviceMatrix hidden, int[] ids) {
            int predictions = ids.length - 1;
            float[] scores = new float[predictions];
            for (int first = 0; first < predictions; first += head.mostRows()) {
                int rows = Math.min(head.mostRows(), predictions - first);
                DeviceMatrix logits = head.logits(hidden.rows(first, rows));
                device.stream()
                        .copyToDevice(
                                MemorySegment.ofArray(ids)
                                        .asSlice((first + 1L) * Integer.BYTES, (long) rows * Integer.BYTES),
                                targets.columns(0, rows));
                loss.logProbabilities(logits, targets.columns(0, rows), results.columns(0, rows));
                device.stream()
                        .copyToHost(
                                results.columns(0, rows),
                                MemorySegment.ofArray(scores)
                                        .asSlice((long) first * Float.BYTES, (long) rows * Float.BYTES));
            }
            return scores;
        }

        @Override
        public void close() {
            results.buffer().close();
            targets.buffer().close();
        }
    }
}
