package io.gpuquant.job;

import io.gpuquant.calibration.TokenSequences;
import io.gpuquant.device.Device;
import io.gpuquant.device.Trace;
import io.gpuquant.evaluate.PackedWeights;
import io.gpuquant.model.CheckpointWeights;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LayerLoader;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.WeightSource;
import io.gpuquant.quantize.LinearReport;
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
 * others are quantized, and then written, synced and journaled while the device goes on with the next.
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
            boolean ahead = calibration != null && calibration.memory().prefetch();
            try (ResultWriter results = new ResultWriter(device, output);
                    LayerLoader loader = loader(ahead);
                    LayerQuantizer quantizer = settings(loader, results).quantizer(plan.options())) {
                if (calibration == null) {
                    quantizeWithoutData(quantizer, done, results);
                } else {
                    calibrate(quantizer, done, calibration, results);
                }
                results.flush();
            }
        }
        output.restore(copied);
    }

    private QuantizerSettings settings(LayerLoader loader, ResultWriter results) {
        Set<String> quantized = plan.quantizedLinears();
        return new QuantizerSettings(
                device,
                plan.scheme(),
                loader,
                source::dtype,
                results,
                linear -> quantized.contains(linear.name()),
                this::linearDone,
                observer -> new StageSpans(device.trace(), observer));
    }

    private LayerLoader loader(boolean ahead) {
        return new LayerLoader(
                device,
                source,
                operandType,
                structure.config().hiddenSize(),
                layer -> structure.layers().stream()
                        .filter(other -> other.index() == layer.index() + 1)
                        .findFirst(),
                ahead);
    }

    private void quantizeWithoutData(LayerQuantizer quantizer, int done, ResultWriter results) {
        for (DecoderLayer layer :
                structure.layers().subList(done, structure.layers().size())) {
            quantizer.quantize(layer, null);
            complete(layer, quantizer, results);
        }
    }

    private void calibrate(LayerQuantizer quantizer, int done, Calibration calibration, ResultWriter results) {
        MemoryPlan memory = calibration.memory();
        try (CalibrationPass pass =
                new CalibrationPass(device, structure, operandType, memory.chunking(), memory.placements())) {
            pass.embed(source, calibration.sequences()::sequence);
            for (DecoderLayer layer : structure.layers()) {
                if (layer.index() < done) {
                    pass.run(layer, plan.propagates() ? writtenWeights() : source);
                    layerDone(layer.index() + 1);
                } else {
                    try (Trace.Span span = device.trace().begin("layer " + layer.index())) {
                        quantizer.quantize(layer, pass);
                    }
                    complete(layer, quantizer, results);
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

    /** Has the layer journaled once it is written, while the device goes on. */
    private void complete(DecoderLayer layer, LayerQuantizer quantizer, ResultWriter results) {
        LayerQuantizer.Reports reports = quantizer.takeReports();
        results.afterwards(() -> {
            try (Trace.Span span = device.trace().begin("sync layer " + layer.index())) {
                writer.force();
            }
            journal.add(new Journal.LayerEntry(
                    layer.index(), reports.linears(), reports.scales(), output.takeChecksums()));
            layerDone(layer.index() + 1);
        });
    }

    private synchronized void linearDone(LinearReport report) {
        listener.linearDone(report);
    }

    /** The listener is told by two threads, but by one at a time. */
    private synchronized void layerDone(int done) {
        listener.layerDone(done, structure.layers().size());
    }
}
