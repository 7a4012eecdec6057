package io.gpuquant.job;

import io.gpuquant.calibration.TokenSequences;
import io.gpuquant.device.Device;
import io.gpuquant.evaluate.PackedWeights;
import io.gpuquant.model.ActivationStore;
import io.gpuquant.model.CheckpointWeights;
import io.gpuquant.model.Chunking;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.Embedding;
import io.gpuquant.model.LayerPass;
import io.gpuquant.model.LayerWeights;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.WeightSource;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.CheckpointWriter;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Goes through the decoder layers: those the journal has are only passed through, with the weights that were written; the
 * others are quantized, written, synced and journaled.
 */
final class LayerWalk {

    private final Device device;
    private final QuantizationPlan plan;
    private final CheckpointWriter writer;
    private final TensorOutput output;
    private final Journal journal;
    private final JobListener listener;
    private final ModelStructure structure;
    private final WeightSource source;
    private final DType operandType;

    LayerWalk(
            Device device,
            QuantizationPlan plan,
            Checkpoint checkpoint,
            CheckpointWriter writer,
            TensorOutput output,
            Journal journal,
            JobListener listener) {
        this.device = device;
        this.plan = plan;
        this.writer = writer;
        this.output = output;
        this.journal = journal;
        this.listener = listener;
        structure = plan.structure();
        source = new CheckpointWeights(checkpoint, device);
        operandType = device.operandType(plan.modelType());
    }

    /**
     * Does all layers.
     *
     * @param sequences what to calibrate with; null for a method that needs no data
     */
    void run(LayerQuantizer quantizer, @Nullable TokenSequences sequences) {
        int done = journal.layers().size();
        // What was copied before has its checksums in the output, not in a layer's entry.
        Map<String, Long> copied = output.takeChecksums();
        for (Journal.LayerEntry entry : journal.layers()) {
            entry.checksums().keySet().forEach(writer::markWritten);
        }
        if (done < structure.layers().size()) {
            if (sequences == null) {
                quantizeWithoutData(quantizer, done);
            } else {
                calibrate(quantizer, done, sequences);
            }
        }
        output.restore(copied);
    }

    private void quantizeWithoutData(LayerQuantizer quantizer, int done) {
        for (DecoderLayer layer :
                structure.layers().subList(done, structure.layers().size())) {
            quantizer.quantize(layer, null);
            complete(layer, quantizer);
        }
    }

    private void calibrate(LayerQuantizer quantizer, int done, TokenSequences sequences) {
        Chunking chunking = Chunking.of(sequences.count(), sequences.length());
        MemoryPlan memory = MemoryPlan.of(
                device, structure, chunking, operandType, quantizer.workBytes(structure, chunking, operandType));
        try (ActivationStore hidden = new ActivationStore(
                        device,
                        "residual stream",
                        chunking,
                        DType.F32,
                        structure.config().hiddenSize(),
                        memory.hidden());
                LayerPass pass = new LayerPass(device, structure.config(), operandType, chunking, memory.stages())) {
            Embedding.fill(device, structure, source, sequences::sequence, hidden);
            for (DecoderLayer layer : structure.layers()) {
                if (layer.index() < done) {
                    passThrough(layer, pass, hidden);
                } else {
                    quantizer.quantize(layer, new LayerQuantizer.Inputs(pass, hidden));
                    complete(layer, quantizer);
                }
            }
        }
    }

    /** Passes a layer that an earlier run has done, with the weights that the layers after it were calibrated with. */
    private void passThrough(DecoderLayer layer, LayerPass pass, ActivationStore hidden) {
        try (LayerWeights weights = load(layer, plan.propagates() ? writtenWeights() : source)) {
            pass.run(weights, hidden);
        }
        listener.layerDone(layer.index() + 1, structure.layers().size());
    }

    /** The weights of a layer as they are in the source. */
    LayerWeights load(DecoderLayer layer) {
        return load(layer, source);
    }

    /** The type of a tensor in the source. */
    DType sourceType(String tensor) {
        return source.dtype(tensor);
    }

    private LayerWeights load(DecoderLayer layer, WeightSource from) {
        return new LayerWeights(
                device, layer, from, operandType, structure.config().hiddenSize());
    }

    /** The weights of layers that an earlier run has written. */
    private WeightSource writtenWeights() {
        WeightSource others = new RewrittenWeights(device, writer, plan.rewrittenTensors(), source);
        return PackedWeights.of(device, this::written, plan.scheme(), plan.modelType(), others);
    }

    private Optional<HostTensor> written(String name) {
        return plan.layout().contains(name) ? Optional.of(writer.read(name)) : Optional.empty();
    }

    private void complete(DecoderLayer layer, LayerQuantizer quantizer) {
        device.stream().synchronize();
        writer.force();
        LayerQuantizer.Reports reports = quantizer.takeReports();
        journal.add(new Journal.LayerEntry(layer.index(), reports.linears(), reports.scales(), output.takeChecksums()));
        listener.layerDone(layer.index() + 1, structure.layers().size());
    }
}
