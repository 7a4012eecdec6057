package io.gpuquant.job;

import io.gpuquant.calibration.TokenSequences;
import io.gpuquant.device.Device;
import io.gpuquant.evaluate.PackedWeights;
import io.gpuquant.model.CheckpointWeights;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LayerWeights;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.WeightSource;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.CheckpointWriter;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
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

    /** The calibration sequences, and how they are brought to the device. */
    record Calibration(TokenSequences sequences, MemoryPlan memory) {}

    /**
     * Does all layers.
     *
     * @param calibration what to calibrate with; null for a method that needs no data
     */
    void run(@Nullable Calibration calibration) {
        int done = journal.layers().size();
        // What was copied before has its checksums in the output, not in a layer's entry.
        Map<String, Long> copied = output.takeChecksums();
        for (Journal.LayerEntry entry : journal.layers()) {
            entry.checksums().keySet().forEach(writer::markWritten);
        }
        if (done < structure.layers().size()) {
            try (LayerQuantizer quantizer = settings().quantizer(plan.options())) {
                if (calibration == null) {
                    quantizeWithoutData(quantizer, done);
                } else {
                    calibrate(quantizer, done, calibration);
                }
            }
        }
        output.restore(copied);
    }

    private QuantizerSettings settings() {
        Set<String> quantized = plan.quantizedLinears();
        return new QuantizerSettings(
                device,
                plan.scheme(),
                layer -> new LayerWeights(
                        device, layer, source, operandType, structure.config().hiddenSize()),
                source::dtype,
                output,
                linear -> quantized.contains(linear.name()),
                structure.config().family(),
                listener::linearDone,
                UnaryOperator.identity());
    }

    private void quantizeWithoutData(LayerQuantizer quantizer, int done) {
        for (DecoderLayer layer :
                structure.layers().subList(done, structure.layers().size())) {
            quantizer.quantize(layer, null);
            complete(layer, quantizer);
        }
    }

    private void calibrate(LayerQuantizer quantizer, int done, Calibration calibration) {
        MemoryPlan memory = calibration.memory();
        try (CalibrationPass pass =
                new CalibrationPass(device, structure, operandType, memory.chunking(), memory.placements())) {
            pass.embed(source, calibration.sequences()::sequence);
            for (DecoderLayer layer : structure.layers()) {
                if (layer.index() < done) {
                    pass.run(layer, plan.propagates() ? writtenWeights() : source);
                    listener.layerDone(layer.index() + 1, structure.layers().size());
                } else {
                    quantizer.quantize(layer, pass);
                    complete(layer, quantizer);
                }
            }
        }
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
