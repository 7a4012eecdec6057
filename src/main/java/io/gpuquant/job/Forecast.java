package io.gpuquant.job;

import io.gpuquant.calibration.CalibrationOptions;
import io.gpuquant.device.Device;
import io.gpuquant.format.SourceCheckpoint;
import io.gpuquant.model.Chunking;
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

/**
 * What a job would take, found out from config.json and the headers of the weights, or from config.json alone.
 *
 * @param storedType the type of the weights
 * @param operationsPerSecond of matrix products, measured; empty for a device that is not here
 * @param bytes of the checkpoints; empty where there are no weights
 * @param warnings as of {@link QuantizationPlan}
 */
public record Forecast(
        ModelStructure structure,
        DType storedType,
        MemoryPlan memory,
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
        warnings = List.copyOf(warnings);
    }

    /** Makes the forecast of a job on a device, whose speed is measured. */
    public static Forecast of(QuantizationJobOptions options, Device device) {
        Forecast forecast = of(options, Room.of(device));
        return new Forecast(
                forecast.structure(),
                forecast.storedType(),
                forecast.memory(),
                ProductSpeed.measure(device, device.operandType(forecast.storedType())),
                forecast.bytes(),
                forecast.warnings());
    }

    /**
     * Makes the forecast of a job on a device that need not be here.
     *
     * @param options of a method that calibrates
     * @throws io.gpuquant.InputException when the model, or the combination of model and options, cannot be quantized
     */
    public static Forecast of(QuantizationJobOptions options, Room room) {
        QuantizationJobOptions.Calibration calibration = options.method().calibrationOrNull();
        if (calibration == null) {
            throw new IllegalArgumentException(options.method().name() + " does not calibrate");
        }
        ModelConfig config = ModelConfig.read(options.model());
        CalibrationOptions sampling = calibration.samplingFor(config);
        Chunking chunking = Chunking.of(sampling.samples(), sampling.sequenceLength());
        if (!hasWeights(options.model())) {
            Preflight.Choices choices = Preflight.choose(
                    options, config, structure -> config.dtype().orElse(DType.F16));
            DType type = config.dtype().orElse(DType.F16);
            MemoryPlan memory = Rehearsal.of(room, options, choices, type).plan(chunking);
            return new Forecast(
                    choices.structure(), type, memory, OptionalDouble.empty(), Optional.empty(), choices.warnings());
        }
        try (Checkpoint checkpoint =
                SourceCheckpoint.open(options.model(), config.quantizationConfig(), config.dtype())) {
            QuantizationPlan plan =
                    Preflight.plan(options, checkpoint, config, CheckpointLayout.DEFAULT_MAX_SHARD_BYTES);
            return new Forecast(
                    plan.structure(),
                    plan.modelType(),
                    Rehearsal.of(room, plan).plan(chunking),
                    OptionalDouble.empty(),
                    Optional.of(new Bytes(plan.sourceBytes(), plan.layout().totalBytes())),
                    plan.warnings());
        }
    }

    private static boolean hasWeights(Path folder) {
        return Files.exists(folder.resolve("model.safetensors"))
                || Files.exists(folder.resolve("model.safetensors.index.json"));
    }

    /** Multiplications and additions of the matrix products of all layers. */
    public double operations() {
        return (double) memory.layerOperations() * structure.layers().size();
    }

    /** How long the matrix products alone take, a lower bound of the run; empty where the speed is not known. */
    public OptionalDouble secondsOfProducts() {
        return operationsPerSecond.isPresent()
                ? OptionalDouble.of(operations() / operationsPerSecond.getAsDouble())
                : OptionalDouble.empty();
    }
}
