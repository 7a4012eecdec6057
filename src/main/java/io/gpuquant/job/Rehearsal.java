package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.format.PackedScheme;
import io.gpuquant.model.Chunking;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LayerWeights;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageObserver;
import io.gpuquant.model.StageWeights;
import io.gpuquant.model.WeightSource;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * Plans the memory of a calibration run by running a layer of it on a {@link BookkeepingDevice}: the code that will allocate
 * is the code that is asked.
 *
 * @param storedType the type of the checkpoint's weights
 * @param isQuantized whether a linear is to be quantized at all
 */
record Rehearsal(
        Room room,
        ModelStructure structure,
        DType storedType,
        PackedScheme scheme,
        Predicate<LinearSpec> isQuantized,
        QuantizationJobOptions options) {

    /** Of a job with these options and decisions. */
    static Rehearsal of(Room room, QuantizationJobOptions options, Preflight.Choices choices, DType storedType) {
        Map<LinearSpec, Boolean> quantized = choices.decisions().stream()
                .collect(Collectors.toMap(LinearDecision::linear, LinearDecision::quantized));
        return new Rehearsal(
                room,
                choices.structure(),
                storedType,
                choices.scheme(),
                linear -> quantized.getOrDefault(linear, false),
                options);
    }

    /** Of a planned job. */
    static Rehearsal of(Room room, QuantizationPlan plan) {
        return of(
                room,
                plan.options(),
                new Preflight.Choices(plan.structure(), plan.scheme(), plan.decisions(), plan.warnings()),
                plan.modelType());
    }

    /** The plan with the fastest placement that fits; if none does, with the one that takes the least. */
    MemoryPlan plan(Chunking chunking) {
        List<MemoryPlan.Placements> choices = MemoryPlan.Placements.CHOICES;
        for (MemoryPlan.Placements choice : choices.subList(0, choices.size() - 1)) {
            MemoryPlan plan = run(chunking, choice);
            if (plan.fits()) {
                return plan;
            }
        }
        return run(chunking, choices.getLast());
    }

    private MemoryPlan run(Chunking chunking, MemoryPlan.Placements placements) {
        BookkeepingDevice device = new BookkeepingDevice(room.info(), room.operandType());
        WeightSource source = new AbsentWeights(device, storedType);
        List<DecoderLayer> kinds = kindsOfLayers();
        DType operandType = device.operandType(storedType);
        QuantizerSettings settings = new QuantizerSettings(
                device,
                scheme,
                loaded -> new LayerWeights(
                        device, loaded, source, operandType, structure.config().hiddenSize()),
                source::dtype,
                new TensorOutput((name, data) -> {}),
                isQuantized,
                structure.config().family(),
                report -> {},
                observer -> new Announcer(device, kinds, observer));
        long operations = 0;
        device.enter("embedding");
        try (DeviceBuffer libraries = device.allocate("libraries", room.heldBytes());
                CalibrationPass pass = new CalibrationPass(device, structure, operandType, chunking, placements);
                LayerQuantizer quantizer = settings.quantizer(options)) {
            int[] ids = new int[chunking.sequenceLength()];
            pass.embed(source, sequence -> ids);
            for (DecoderLayer layer : kinds) {
                device.enter("loading weights");
                long before = device.operations();
                quantizer.quantize(layer, pass);
                operations += (device.operations() - before)
                        * layersLike(layer)
                        / structure.layers().size();
                device.enter("resuming");
                pass.run(layer, source);
            }
        }
        return new MemoryPlan(room, chunking, placements, device.stages(), device.mostHostBytes(), operations);
    }

    /** The first layer, and the first with experts, if others have none. */
    private List<DecoderLayer> kindsOfLayers() {
        List<DecoderLayer> kinds = new ArrayList<>();
        for (DecoderLayer layer : structure.layers()) {
            if (kinds.stream().noneMatch(other -> isLike(layer, other))) {
                kinds.add(layer);
            }
        }
        return kinds;
    }

    private long layersLike(DecoderLayer layer) {
        return structure.layers().stream().filter(other -> isLike(layer, other)).count();
    }

    private static boolean isLike(DecoderLayer layer, DecoderLayer other) {
        return layer.router().isPresent() == other.router().isPresent();
    }

    /** Tells the books which stage a layer has come to. */
    private record Announcer(BookkeepingDevice device, List<DecoderLayer> layers, StageObserver observer)
            implements StageObserver {

        @Override
        public void input(Stage stage, DeviceMatrix x) {
            enter(stage.kind());
            observer.input(stage, x);
        }

        /** What a layer allocates from here on is for the next stage. */
        @Override
        public void inputsComplete(StageWeights weights) {
            observer.inputsComplete(weights);
            for (DecoderLayer layer : layers) {
                int next = layer.stages().indexOf(weights.stage()) + 1;
                if (next > 0 && next < layer.stages().size()) {
                    enter(layer.stages().get(next).kind());
                }
            }
        }

        private void enter(Stage.Kind kind) {
            device.enter(kind.name().toLowerCase(Locale.ROOT).replace('_', '-'));
        }
    }

    /** Weights that are not there, but take the memory of those that are: a copy in their own type while they are converted. */
    private record AbsentWeights(Device device, DType storedType) implements WeightSource {

        @Override
        public DType dtype(String tensor) {
            return storedType;
        }

        @Override
        public void load(String tensor, DeviceMatrix target) {
            if (target.dtype() != storedType) {
                DeviceMatrix.allocate(device, tensor, storedType, target.rows(), target.columns())
                        .buffer()
                        .close();
            }
        }
    }
}
