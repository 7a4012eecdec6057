package io.gpuquant.job;

import io.gpuquant.calibration.TokenSequences;
import io.gpuquant.device.Device;
import io.gpuquant.device.Trace;
import io.gpuquant.evaluate.PackedWeights;
import io.gpuquant.gguf.ImportanceMatrix;
import io.gpuquant.model.CheckpointWeights;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LayerLoader;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.WeightSource;
import io.gpuquant.quantize.LinearReport;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.CheckpointWriter;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Goes through the decoder layers: those the journal has are only passed through, with the weights that were written; the
 * others are quantized, and then written, synced and journaled while the devices go on with the next.
 */
final class LayerWalk {

    private final List<Device> devices;
    private final QuantizationPlan plan;
    private final Checkpoint checkpoint;
    private final CheckpointWriter writer;
    private final TensorOutput output;
    private final Journal journal;
    private final JobListener listener;
    private final ModelStructure structure;
    private final List<ImportanceMatrix.Entry> importance = new ArrayList<>();

    LayerWalk(
            List<Device> devices,
            QuantizationPlan plan,
            Checkpoint checkpoint,
            CheckpointWriter writer,
            TensorOutput output,
            Journal journal,
            JobListener listener) {
        this.devices = List.copyOf(devices);
        this.plan = plan;
        this.checkpoint = checkpoint;
        this.writer = writer;
        this.output = output;
        this.journal = journal;
        this.listener = listener;
        structure = plan.structure();
    }

    /**
     * The calibration sequences, and how they are brought to the devices.
     *
     * @param memory of each device
     */
    record Calibration(TokenSequences sequences, List<MemoryPlan> memory) {

        Calibration {
            memory = List.copyOf(memory);
        }
    }

    /**
     * Does all layers.
     *
     * @param calibration what to calibrate with; null for a method that needs no data
     * @return what was seen of the importance of inputs, where that was asked for
     */
    List<ImportanceMatrix.Entry> run(@Nullable Calibration calibration) {
        CopiedTensors.check(checkpoint, plan.layout(), plan.rewrittenTensors());
        int done = journal.layers().size();
        for (Journal.LayerEntry entry : journal.layers()) {
            entry.checksums().keySet().forEach(writer::markWritten);
        }
        try (BackgroundCopy copy = new BackgroundCopy(this::copy)) {
            if (done < structure.layers().size() || plan.options().importance().isPresent()) {
                try (ResultWriter results = new ResultWriter(output);
                        DeviceGroup group = new DeviceGroup(devices);
                        Workers workers = new Workers(group, results, calibration)) {
                    walk(group, workers, results, copy, done, calibration);
                    results.flush();
                }
            }
            output.restore(copy.checksums());
        }
        return List.copyOf(importance);
    }

    /** Writes what no device touches; its checksums are in no layer's entry. */
    private Map<String, Long> copy() {
        TensorOutput copied = new TensorOutput(writer::write);
        try (Trace.Span span = devices.getFirst().trace().begin("copy what is not quantized")) {
            CopiedTensors.write(checkpoint, plan.layout(), plan.rewrittenTensors(), copied);
        }
        return copied.takeChecksums();
    }

    private void walk(
            DeviceGroup group,
            Workers workers,
            ResultWriter results,
            BackgroundCopy copy,
            int done,
            @Nullable Calibration calibration) {
        if (calibration != null) {
            group.forEach(device -> workers.of(device).embed(calibration.sequences()));
        }
        for (DecoderLayer layer : structure.layers()) {
            if (layer.index() >= done) {
                group.forEach(device -> workers.of(device).quantize(layer));
                complete(layer, workers.takeReports(layer), results);
            } else if (calibration != null) {
                group.forEach(device -> workers.of(device).pass(layer));
                layerDone(layer.index() + 1);
            }
            importance.addAll(workers.importance());
            copy.check();
        }
    }

    /** What each device works with. */
    private final class Workers implements AutoCloseable {

        private final List<Worker> workers = new ArrayList<>();

        Workers(DeviceGroup group, ResultWriter results, @Nullable Calibration calibration) {
            try {
                for (int i = 0; i < devices.size(); i++) {
                    MemoryPlan memory =
                            calibration == null ? null : calibration.memory().get(i);
                    workers.add(new Worker(i, group.peers(i), results.of(devices.get(i)), memory));
                }
            } catch (RuntimeException failure) {
                close();
                throw failure;
            }
        }

        Worker of(int device) {
            return workers.get(device);
        }

        /** What all of them have seen together of the importance of the last layer's inputs. */
        List<ImportanceMatrix.Entry> importance() {
            return workers.stream()
                    .map(worker -> worker.seen)
                    .reduce(LayerWalk::together)
                    .orElseThrow();
        }

        /** What all of them report of a layer, linears in the layer's order. */
        LayerQuantizer.Reports takeReports(DecoderLayer layer) {
            List<LayerQuantizer.Reports> all = workers.stream()
                    .map(worker -> worker.quantizer.takeReports())
                    .toList();
            List<String> order = layer.linears().stream().map(LinearSpec::name).toList();
            return new LayerQuantizer.Reports(
                    all.stream()
                            .flatMap(reports -> reports.linears().stream())
                            .sorted(Comparator.comparingInt(report -> order.indexOf(report.name())))
                            .toList(),
                    all.getFirst().scales());
        }

        @Override
        public void close() {
            workers.forEach(Worker::close);
        }
    }

    private static List<ImportanceMatrix.Entry> together(
            List<ImportanceMatrix.Entry> some, List<ImportanceMatrix.Entry> others) {
        List<ImportanceMatrix.Entry> both = new ArrayList<>();
        for (int i = 0; i < some.size(); i++) {
            both.add(some.get(i).plus(others.get(i)));
        }
        return both;
    }

    /** A device with its share of the calibration sequences. */
    private final class Worker implements AutoCloseable {

        private final Device device;
        private final Seat seat;
        private final WeightSource source;
        private final LayerLoader loader;
        private final LayerQuantizer quantizer;
        private final @Nullable CalibrationPass calibration;
        private final Optional<ImportanceWatch> watch;
        private List<ImportanceMatrix.Entry> seen = List.of();

        Worker(int index, Peers peers, ResultOutput results, @Nullable MemoryPlan memory) {
            device = devices.get(index);
            seat = peers.seat();
            source = new CheckpointWeights(checkpoint, device);
            DType operandType = device.operandType(plan.modelType());
            calibration = memory == null
                    ? null
                    : new CalibrationPass(device, structure, operandType, memory.chunking(), memory.placements());
            loader = new LayerLoader(
                    device,
                    source,
                    operandType,
                    structure.config().hiddenSize(),
                    LayerWalk.this::after,
                    memory != null && memory.prefetch());
            watch = plan.options().importance().map(file -> new ImportanceWatch(device, structure.config()));
            quantizer = settings(peers, results).quantizer(plan.options());
        }

        private QuantizerSettings settings(Peers peers, ResultOutput results) {
            Set<String> quantized = plan.quantizedLinears();
            return new QuantizerSettings(
                    device,
                    plan.scheme(),
                    loader,
                    source::dtype,
                    results,
                    linear -> quantized.contains(linear.name()),
                    structure.config().family(),
                    LayerWalk.this::linearDone,
                    observer -> new StageSpans(device.trace(), observer),
                    watch,
                    peers);
        }

        void embed(TokenSequences sequences) {
            int first = seat.firstSequence(sequences.count());
            Objects.requireNonNull(calibration).embed(source, sequence -> sequences.sequence(first + sequence));
        }

        void quantize(DecoderLayer layer) {
            try (Trace.Span span = device.trace().begin("layer " + layer.index())) {
                quantizer.quantize(layer, calibration);
            }
            takeSeen(layer);
        }

        /** Passes a layer that an earlier run has written. */
        void pass(DecoderLayer layer) {
            new LayerReplay(plan.options().method(), watch)
                    .run(Objects.requireNonNull(calibration), layer, source, this::writtenWeights);
            takeSeen(layer);
        }

        private void takeSeen(DecoderLayer layer) {
            seen = watch.map(all -> all.takeEntries(layer.stages())).orElse(List.of());
        }

        private WeightSource writtenWeights() {
            WeightSource others = new RewrittenWeights(device, writer, plan.rewrittenTensors(), source);
            return PackedWeights.of(device, LayerWalk.this::written, plan.scheme(), plan.modelType(), others);
        }

        @Override
        public void close() {
            quantizer.close();
            watch.ifPresent(ImportanceWatch::close);
            loader.close();
            if (calibration != null) {
                calibration.close();
            }
        }
    }

    private Optional<DecoderLayer> after(DecoderLayer layer) {
        return structure.layers().stream()
                .filter(other -> other.index() == layer.index() + 1)
                .findFirst();
    }

    private Optional<HostTensor> written(String name) {
        return plan.layout().contains(name) ? Optional.of(writer.read(name)) : Optional.empty();
    }

    /** Has the layer journaled once it is written, while the devices go on. */
    private void complete(DecoderLayer layer, LayerQuantizer.Reports reports, ResultWriter results) {
        results.afterwards(() -> {
            try (Trace.Span span = devices.getFirst().trace().begin("sync layer " + layer.index())) {
                writer.force();
            }
            journal.add(
                    new Journal.LayerEntry(layer.index(), reports.linears(), reports.scales(), output.takeChecksums()));
            layerDone(layer.index() + 1);
        });
    }

    private synchronized void linearDone(LinearReport report) {
        listener.linearDone(report);
    }

    /** The listener is told by several threads, but by one at a time. */
    private synchronized void layerDone(int done) {
        listener.layerDone(done, structure.layers().size());
    }
}
