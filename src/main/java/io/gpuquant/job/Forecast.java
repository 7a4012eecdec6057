package io.gpuquant.job;

import io.gpuquant.calibration.CalibrationOptions;
import io.gpuquant.device.Device;
import io.gpuquant.format.SourceCheckpoint;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.CheckpointLayout;
import io.gpuquant.tensor.DType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Function;

/**
 * What a job would take, found out from config.json and the headers of the weights, or from config.json alone.
 *
 * @param storedType the type of the weights
 * @param memory of each device
 * @param operationsPerSecond of matrix products on each device, measured; empty for devices that are not here
 * @param bytes of the checkpoints; empty where there are no weights
 * @param warnings as of {@link QuantizationPlan}
 */
public record Forecast(
        ModelStructure structure,
        DType storedType,
        List<MemoryPlan> memory,
        OptionalDouble operationsPerSecond,
        Optional<Bytes> bytes,
        List<String> warnings) {

    /**
     * Bytes of all tensors.
     *
     * @param source of the model
     * @param output of what would be made of it
     */
    public record Bytes(long source, long output) {}

    public Forecast {
        memory = List.copyOf(memory);
        warnings = List.copyOf(warnings);
    }

    /** Makes the forecast of a job on devices that calibrate together; the speed of the first is measured. */
    public static Forecast onDevices(QuantizationJobOptions options, List<Device> devices) {
        OpenDevices.requireOneKind(devices);
        Forecast forecast = inRooms(options, devices.stream().map(Room::of).toList());
        Device device = devices.getFirst();
        return new Forecast(
                forecast.structure(),
                forecast.storedType(),
                forecast.memory(),
                ProductSpeed.measure(device, device.operandType(forecast.storedType())),
                forecast.bytes(),
                forecast.warnings());
    }

    /**
     * Makes the forecast of a job on devices that need not be here.
     *
     * @param options of a method that calibrates
     * @throws io.gpuquant.InputException when the model, or the combination of model and options, cannot be quantized
     * @throws io.gpuquant.UsageException when there are fewer calibration sequences than devices
     */
    public static Forecast inRooms(QuantizationJobOptions options, List<Room> rooms) {
        QuantizationJobOptions.Calibration calibration = options.method().calibrationOrNull();
        if (calibration == null) {
            throw new IllegalArgumentException(options.method().name() + " does not calibrate");
        }
        ModelConfig config = ModelConfig.read(options.model());
        CalibrationOptions sampling = calibration.samplingFor(config);
        if (!hasWeights(options.model())) {
            Preflight.Choices choices = Preflight.choose(
                    options, config, structure -> config.dtype().orElse(DType.F16));
            DType type = config.dtype().orElse(DType.F16);
            return new Forecast(
                    choices.structure(),
                    type,
                    plans(rooms, room -> Rehearsal.of(room, options, choices, type), sampling),
                    OptionalDouble.empty(),
                    Optional.empty(),
                    choices.warnings());
        }
        try (Checkpoint checkpoint =
                SourceCheckpoint.open(options.model(), config.quantizationConfig(), config.dtype())) {
            QuantizationPlan plan =
                    Preflight.plan(options, checkpoint, config, CheckpointLayout.DEFAULT_MAX_SHARD_BYTES);
            return new Forecast(
                    plan.structure(),
                    plan.modelType(),
                    plans(rooms, room -> Rehearsal.of(room, plan), sampling),
                    OptionalDouble.empty(),
                    Optional.of(new Bytes(plan.sourceBytes(), plan.layout().totalBytes())),
                    plan.warnings());
        }
    }

    private static List<MemoryPlan> plans(
            List<Room> rooms, Function<Room, Rehearsal> ofRoom, CalibrationOptions sampling) {
        return Rehearsal.plans(rooms, ofRoom, sampling.samples(), sampling.sequenceLength());
    }

    private static boolean hasWeights(Path folder) {
        return Files.exists(folder.resolve("model.safetensors"))
                || Files.exists(folder.resolve("model.safetensors.index.json"));
    }

    /** What the device that holds the most holds; the first of them. */
    public MemoryPlan widest() {
        MemoryPlan widest = memory.getFirst();
        for (MemoryPlan each : memory) {
            widest = each.peakBytes() > widest.peakBytes() ? each : widest;
        }
        return widest;
    }

    /** Whether every device has room for its share. */
    public boolean fits() {
        return memory.stream().allMatch(MemoryPlan::fits);
    }

    /**
     * Fails when a device has no room.
     *
     * @throws io.gpuquant.ResourceException that says what does not fit
     */
    public void requireRoom() {
        memory.forEach(MemoryPlan::requireRoom);
    }

    /** Calibration sequences of all devices. */
    public int sequences() {
        return memory.stream()
                .mapToInt(ofDevice -> ofDevice.chunking().sequences())
                .sum();
    }

    /** Multiplications and additions of the matrix products of all layers, on all devices. */
    public double operations() {
        return memory.stream().mapToDouble(this::operations).sum();
    }

    private double operations(MemoryPlan ofDevice) {
        return (double) ofDevice.layerOperations() * structure.layers().size();
    }

    /** How long the matrix products alone take, a lower bound of the run; empty where the speed is not known. */
    public OptionalDouble secondsOfProducts() {
        return operationsPerSecond.isPresent()
                ? OptionalDouble.of(
                        memory.stream().mapToDouble(this::operations).max().orElse(0)
                                / operationsPerSecond.getAsDouble())
                : OptionalDouble.empty();
    }
}
