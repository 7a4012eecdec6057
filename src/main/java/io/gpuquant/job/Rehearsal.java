package io.gpuquant.job;

import io.gpuquant.UsageException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.format.PackedScheme;
import io.gpuquant.model.Arrival;
import io.gpuquant.model.Chunking;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LayerLoader;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.Prefetcher;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageObserver;
import io.gpuquant.model.StageWeights;
import io.gpuquant.model.WeightSource;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * Plans the memory of a calibration run by running a layer of it on a {@link BookkeepingDevice}: the code that will allocate
 * is the code that is asked.
 *
 * @param storedType the type of the checkpoint's weights
 * @param isQuantized whether a linear is to be quantized at all
 * @param seat which of the devices that calibrate together this one is
 * @param sequences calibration sequences of all those devices; any number where there is only one
 */
record Rehearsal(
        Room room,
        ModelStructure structure,
        DType storedType,
        PackedScheme scheme,
        Predicate<LinearSpec> isQuantized,
        QuantizationJobOptions options,
        Seat seat,
        int sequences) {

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
                options,
                Seat.ALONE,
                0);
    }

    /** Of a planned job. */
    static Rehearsal of(Room room, QuantizationPlan plan) {
        return of(
                room,
                plan.options(),
                new Preflight.Choices(plan.structure(), plan.scheme(), plan.decisions(), plan.warnings()),
                plan.modelType());
    }

    /** Of one of several devices that calibrate together, with so many sequences in all. */
    private Rehearsal at(Seat other, int allSequences) {
        return new Rehearsal(room, structure, storedType, scheme, isQuantized, options, other, allSequences);
    }

    /**
     * The plans of devices that calibrate together, each as {@link #plan}.
     *
     * @param rooms of the devices
     * @param ofRoom the rehearsal of the job on a device by itself
     * @throws UsageException when there are fewer sequences than devices
     */
    static List<MemoryPlan> plans(
            List<Room> rooms, Function<Room, Rehearsal> ofRoom, int sequences, int sequenceLength) {
        if (sequences < rooms.size()) {
            throw new UsageException(sequences + " calibration sequences cannot be shared by " + rooms.size()
                    + " devices; name fewer devices, or raise --samples");
        }
        List<MemoryPlan> plans = new ArrayList<>();
        for (Room room : rooms) {
            Seat seat = new Seat(plans.size(), rooms.size());
            plans.add(ofRoom.apply(room).at(seat, sequences).plan(seat.chunking(sequences, sequenceLength)));
        }
        return plans;
    }

    /**
     * The plan of the fastest way that fits; if none does, of the one that takes the least. Copies of activations cost more
     * than weights that are waited for, and those more than small chunks.
     *
     * @param widest chunks of the size that is best where there is room
     */
    MemoryPlan plan(Chunking widest) {
        MemoryPlan least = null;
        for (MemoryPlan.Placements placements : MemoryPlan.Placements.CHOICES) {
            for (boolean prefetch : room.overlaps() ? new boolean[] {true, false} : new boolean[] {false}) {
                for (Chunking chunking : widest.narrowing()) {
                    MemoryPlan plan = run(chunking, placements, prefetch);
                    if (plan.fits()) {
                        return plan;
                    }
                    least = least == null || plan.peakBytes() < least.peakBytes() ? plan : least;
                }
            }
        }
        return Objects.requireNonNull(least);
    }

    private MemoryPlan run(Chunking chunking, MemoryPlan.Placements placements, boolean prefetch) {
        BookkeepingDevice device = new BookkeepingDevice(room);
        WeightSource source = new AbsentWeights(device, storedType);
        List<DecoderLayer> kinds = kindsOfLayers();
        AtomicReference<DecoderLayer> following = new AtomicReference<>(kinds.getFirst());
        DType operandType = device.operandType(storedType);
        long operations = 0;
        device.enter("embedding");
        try (DeviceBuffer libraries = device.allocate("libraries", room.heldBytes());
                CalibrationPass pass = new CalibrationPass(device, structure, operandType, chunking, placements);
                LayerLoader loader = new LayerLoader(
                        device,
                        source,
                        operandType,
                        structure.config().hiddenSize(),
                        loaded -> prefetch ? Optional.of(Objects.requireNonNull(following.get())) : Optional.empty(),
                        true);
                ImportanceWatch importance =
                        options.importance().isPresent() ? new ImportanceWatch(device, structure.config()) : null;
                LayerQuantizer quantizer = settings(
                                device, kinds, loader, source, Optional.ofNullable(importance), peers(device, chunking))
                        .quantizer(options)) {
            int[] ids = new int[chunking.sequenceLength()];
            pass.embed(source, sequence -> ids);
            for (DecoderLayer layer : kinds) {
                following.set(layer);
                device.enter("loading weights");
                long before = device.operations();
                quantizer.quantize(layer, pass);
                if (importance != null) {
                    importance.close();
                }
                operations += (device.operations() - before)
                        * layersLike(layer)
                        / structure.layers().size();
            }
            loader.close();
            LayerReplay replay = new LayerReplay(options.method(), Optional.ofNullable(importance));
            for (DecoderLayer layer : kinds) {
                device.enter("resuming");
                replay.run(pass, layer, source, () -> source);
                if (importance != null) {
                    importance.close();
                }
            }
        }
        return new MemoryPlan(
                room, chunking, placements, prefetch, device.stages(), device.mostHostBytes(), operations);
    }

    private QuantizerSettings settings(
            BookkeepingDevice device,
            List<DecoderLayer> kinds,
            LayerLoader loader,
            WeightSource source,
            Optional<ImportanceWatch> importance,
            Peers peers) {
        return new QuantizerSettings(
                device,
                scheme,
                loader,
                source::dtype,
                ResultOutput.NOWHERE,
                isQuantized,
                structure.config().family(),
                report -> {},
                observer -> new Announcer(device, kinds, observer),
                importance,
                peers);
    }

    private Peers peers(Device device, Chunking own) {
        return seat.count() == 1 ? Peers.NONE : new AbsentPeers(device, seat, (double) sequences / own.sequences());
    }

    /**
     * The others need some memory here, too. What is counted there is in proportion to their sequences.
     *
     * @param times how many times as many sequences all devices have as this one
     */
    private record AbsentPeers(Device device, Seat seat, double times) implements Peers {

        @Override
        public void sum(DeviceMatrix matrix) {
            DeviceGroup.summand(device, matrix).buffer().close();
        }

        @Override
        public double[] sum(double... numbers) {
            return Arrays.stream(numbers)
                    .map(number -> Math.rint(times * number))
                    .toArray();
        }

        @Override
        public void share(StageWeights weights) {}
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

        @Override
        public Arrival begin(String tensor, DeviceMatrix target, Prefetcher prefetcher) {
            if (target.dtype() == storedType) {
                return () -> {};
            }
            DeviceBuffer raw = DeviceMatrix.allocate(device, tensor, storedType, target.rows(), target.columns())
                    .buffer();
            return new Arrival() {
                @Override
                public void complete() {
                    close();
                }

                @Override
                public void close() {
                    raw.close();
                }
            };
        }
    }
}
