package io.gpuquant.job;

import io.gpuquant.calibration.TokenSequences;
import io.gpuquant.device.Device;
import io.gpuquant.evaluate.GptqWeights;
import io.gpuquant.model.CheckpointWeights;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LayerWeights;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.Stage;
import io.gpuquant.model.WeightSource;
import io.gpuquant.quantize.QuantizationMethod;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.CheckpointWriter;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
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
    private final Set<String> quantized;

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
        quantized = plan.quantizedLinears();
    }

    /** The calibration sequences, and how they are brought to the device. */
    record Calibration(TokenSequences sequences, MemoryPlan memory) {}

    /**
     * Does all layers.
     *
     * @param calibration what to calibrate with; null for a method that needs no data
     */
    void run(QuantizationMethod method, @Nullable Calibration calibration) {
        int done = journal.layers().size();
        // What was copied before has its checksums in the output, not in a layer's entry.
        Map<String, Long> copied = output.takeChecksums();
        for (Journal.LayerEntry entry : journal.layers()) {
            entry.checksums().keySet().forEach(writer::markWritten);
        }
        if (done < structure.layers().size()) {
            PackedLinearWriter packed = new PackedLinearWriter(device, plan.scheme(), output);
            try (StageQuantizer quantizer = new StageQuantizer(
                    device, method, packed, linear -> quantized.contains(linear.name()), listener::linearDone)) {
                if (calibration == null) {
                    quantizeWithoutData(quantizer, done);
                } else {
                    calibrate(quantizer, done, calibration);
                }
            }
        }
        output.restore(copied);
    }

    private void quantizeWithoutData(StageQuantizer quantizer, int done) {
        for (DecoderLayer layer :
                structure.layers().subList(done, structure.layers().size())) {
            try (LayerWeights weights = new LayerWeights(
                    device, layer, source, operandType, structure.config().hiddenSize())) {
                for (Stage.Kind kind : Stage.Kind.values()) {
                    quantizer.inputsComplete(weights.stage(kind));
                }
            }
            complete(layer, quantizer);
        }
    }

    private void calibrate(StageQuantizer quantizer, int done, Calibration calibration) {
        MemoryPlan memory = calibration.memory();
        try (CalibrationPass pass =
                new CalibrationPass(device, structure, operandType, memory.chunking(), memory.placements())) {
            pass.embed(source, calibration.sequences()::sequence);
            for (DecoderLayer layer : structure.layers()) {
                if (layer.index() < done) {
                    pass.run(layer, writtenWeights());
                    listener.layerDone(layer.index() + 1, structure.layers().size());
                } else {
                    pass.run(layer, source, quantizer);
                    complete(layer, quantizer);
                }
            }
        }
    }

    /** The weights of layers that an earlier run has written. */
    private WeightSource writtenWeights() {
        return new GptqWeights(device, this::written, plan.scheme(), plan.modelType(), source);
    }

    private Optional<HostTensor> written(String name) {
        return plan.layout().contains(name) ? Optional.of(writer.read(name)) : Optional.empty();
    }

    private void complete(DecoderLayer layer, StageQuantizer quantizer) {
        device.stream().synchronize();
        writer.force();
        journal.add(new Journal.LayerEntry(layer.index(), quantizer.takeReports(), output.takeChecksums()));
        listener.layerDone(layer.index() + 1, structure.layers().size());
    }
}
