package io.gpuquant.evaluate;

import io.gpuquant.InputException;
import io.gpuquant.calibration.TokenSequences;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.DivergenceKernels;
import io.gpuquant.kernels.LossKernels;
import io.gpuquant.model.OutputHead;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;

/** Scores the predictions of models for one sequence after another, and compares them with the first model's. */
final class PredictionScores implements AutoCloseable {

    private static final int SUMS = 4;

    private final Device device;
    private final TokenSequences sequences;
    private final List<OutputHead> heads;
    private final int mostRows;
    private final LossKernels loss;
    private final DivergenceKernels divergences;
    private final DeviceMatrix targets;
    private final DeviceMatrix results;
    private final DeviceMatrix sums;
    private final double[] hostSums;
    private final List<float[][]> logProbabilities = new ArrayList<>();
    private final double[] divergence;
    private final double[] agreeing;

    PredictionScores(Device device, TokenSequences sequences, List<OutputHead> heads) {
        this.device = device;
        this.sequences = sequences;
        this.heads = heads;
        mostRows = heads.stream().mapToInt(OutputHead::mostRows).min().orElseThrow();
        loss = new LossKernels(device.stream());
        divergences = new DivergenceKernels(device.stream());
        targets = DeviceMatrix.allocate(device, "target tokens", DType.I32, 1, mostRows);
        results = DeviceMatrix.allocate(device, "log-probabilities", DType.F32, 1, mostRows);
        sums = DeviceMatrix.allocate(device, "sums of predictions", DType.F64, mostRows, SUMS);
        hostSums = new double[mostRows * SUMS];
        heads.forEach(head -> logProbabilities.add(new float[sequences.count()][]));
        divergence = new double[heads.size()];
        agreeing = new double[heads.size()];
    }

    /**
     * Scores a sequence.
     *
     * @param hidden of each model, the residual stream of the sequence's tokens
     */
    void score(int sequence, List<DeviceMatrix> hidden) {
        int[] ids = sequences.sequence(sequence);
        int predictions = ids.length - 1;
        logProbabilities.forEach(scores -> scores[sequence] = new float[predictions]);
        for (int first = 0; first < predictions; first += mostRows) {
            int rows = Math.min(mostRows, predictions - first);
            device.stream()
                    .copyToDevice(
                            MemorySegment.ofArray(ids)
                                    .asSlice((first + 1L) * Integer.BYTES, (long) rows * Integer.BYTES),
                            targets.columns(0, rows));
            scoreRows(sequence, first, rows, hidden);
        }
        for (int model = 0; model < heads.size(); model++) {
            requireNumbers(
                    logProbabilities.get(model)[sequence],
                    sequence,
                    heads.get(model).operandType());
        }
    }

    private void scoreRows(int sequence, int first, int rows, List<DeviceMatrix> hidden) {
        DeviceMatrix reference = heads.getFirst().logits(hidden.getFirst().rows(first, rows));
        score(reference, logProbabilities.getFirst()[sequence], first);
        for (int model = 1; model < heads.size(); model++) {
            DeviceMatrix logits = heads.get(model).logits(hidden.get(model).rows(first, rows));
            score(logits, logProbabilities.get(model)[sequence], first);
            divergences.sums(reference, logits, sums.rows(0, rows));
            device.stream()
                    .copyToHost(
                            sums.rows(0, rows),
                            MemorySegment.ofArray(hostSums).asSlice(0, (long) rows * SUMS * Double.BYTES));
            device.stream().synchronize();
            for (int row = 0; row < rows; row++) {
                double[] ofRow = Arrays.copyOfRange(hostSums, row * SUMS, (row + 1) * SUMS);
                divergence[model] += DivergenceKernels.divergence(ofRow);
                agreeing[model] += ofRow[SUMS - 1];
            }
        }
    }

    private void score(DeviceMatrix logits, float[] scores, int first) {
        int rows = logits.rows();
        loss.logProbabilities(logits, targets.columns(0, rows), results.columns(0, rows));
        device.stream()
                .copyToHost(
                        results.columns(0, rows),
                        MemorySegment.ofArray(scores).asSlice((long) first * Float.BYTES, (long) rows * Float.BYTES));
    }

    private static void requireNumbers(float[] scores, int sequence, DType operandType) {
        for (int i = 0; i < scores.length; i++) {
            if (Float.isNaN(scores[i])) {
                throw new InputException(
                        "the model gives no number for the token at position " + (i + 1) + " of sequence " + sequence
                                + "; its weights are damaged, or its activations overflow " + operandType);
            }
        }
    }

    /** What was found of each model. */
    List<ModelScores> results(SideBySide.LayerFindings layers) {
        List<ModelScores> scores = new ArrayList<>();
        for (int i = 0; i < heads.size(); i++) {
            int model = i;
            TokenScores tokens = new TokenScores(logProbabilities.get(model));
            scores.add(new ModelScores(
                    tokens,
                    divergence[model] / tokens.tokens(),
                    model == 0 ? 1 : agreeing[model] / tokens.tokens(),
                    DoubleStream.of(layers.errors().get(model)).boxed().toList(),
                    layers.weights().map(all -> all.get(model))));
        }
        return scores;
    }

    @Override
    public void close() {
        sums.buffer().close();
        results.buffer().close();
        targets.buffer().close();
    }
}
