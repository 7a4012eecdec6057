package io.gpuquant.job;

import io.gpuquant.Version;
import io.gpuquant.calibration.CalibrationOptions;
import io.gpuquant.calibration.CalibrationSet;
import io.gpuquant.calibration.TextFile;
import io.gpuquant.calibration.TextTokenizer;
import io.gpuquant.device.Device;
import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.quantize.AwqOptions;
import io.gpuquant.quantize.GptqMethod;
import io.gpuquant.quantize.GptqOptions;
import io.gpuquant.quantize.LinearReport;
import io.gpuquant.quantize.QuantizationMethod;
import io.gpuquant.quantize.RoundToNearest;
import io.gpuquant.quantize.ScaleReport;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.CheckpointWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A quantization from a checkpoint to a checkpoint: checked first, then layer by layer, each written and journaled when it
 * is done, verified at the end, and given its name last. Killed at any moment, the same job goes on where it was and makes the
 * same bytes.
 */
public final class QuantizationJob {

    private final QuantizationJobOptions options;
    private final Supplier<Device> devices;
    private final JobListener listener;

    /**
     * @param devices opens the device, once everything has been checked that can be checked without it
     */
    public QuantizationJob(QuantizationJobOptions options, Supplier<Device> devices, JobListener listener) {
        this.options = options;
        this.devices = devices;
        this.listener = listener;
    }

    /**
     * Runs to the end.
     *
     * @throws io.gpuquant.GpuQuantException when it cannot be done; what was finished is kept for the next run
     */
    public JobResult run() {
        ModelConfig config = ModelConfig.read(options.model());
        try (Checkpoint checkpoint = Checkpoint.open(options.model())) {
            QuantizationPlan plan = Preflight.plan(options, checkpoint, config);
            OutputFolder.check(
                    options.output(), options.overwrite(), plan.layout().fileBytes());
            listener.planned(plan);
            @Nullable CalibrationSet calibration = calibration(config);
            if (calibration != null) {
                listener.calibrated(calibration.report());
            }
            try (Device device = devices.get();
                    OutputFolder folder = OutputFolder.open(options.output())) {
                listener.deviceOpened(device.info());
                return run(checkpoint, plan, calibration, device, folder);
            }
        }
    }

    private @Nullable CalibrationSet calibration(ModelConfig config) {
        QuantizationJobOptions.Calibration wanted = calibrationOf(options.method());
        if (wanted == null) {
            return null;
        }
        CalibrationOptions asked = wanted.sampling();
        CalibrationOptions sampling = new CalibrationOptions(
                Math.min(asked.sequenceLength(), config.maxPositionEmbeddings()), asked.samples(), asked.seed());
        TextFile given = wanted.text();
        TextFile text = given == null ? TextFile.builtIn() : given;
        try (TextTokenizer tokenizer = TextTokenizer.open(options.model(), config.vocabSize())) {
            return CalibrationSet.read(text, tokenizer, sampling);
        }
    }

    private static QuantizationJobOptions.@Nullable Calibration calibrationOf(
            QuantizationJobOptions.MethodOptions method) {
        return switch (method) {
            case QuantizationJobOptions.Rtn rtn -> null;
            case QuantizationJobOptions.Gptq gptq -> gptq.calibration();
            case QuantizationJobOptions.Awq awq -> awq.calibration();
        };
    }

    private JobResult run(
            Checkpoint checkpoint,
            QuantizationPlan plan,
            @Nullable CalibrationSet calibration,
            Device device,
            OutputFolder folder) {
        String fingerprint = fingerprint(checkpoint, calibration, device);
        boolean resume = canResume(folder, fingerprint);
        if (!resume) {
            folder.clear();
        }
        JobResult result;
        try (CheckpointWriter writer = resume
                        ? CheckpointWriter.reopen(folder.partial(), plan.layout())
                        : CheckpointWriter.create(folder.partial(), plan.layout());
                Journal journal =
                        resume ? Journal.resume(folder.partial()) : Journal.create(folder.partial(), fingerprint)) {
            if (resume) {
                listener.resumed(journal.layers().size());
            }
            int resumedLayers = journal.layers().size();
            TensorOutput output = new TensorOutput(writer);
            CopiedTensors.copy(checkpoint, plan, output);
            LayerWalk walk = new LayerWalk(device, plan, checkpoint, writer, output, journal, listener);
            try (LayerQuantizer quantizer = quantizer(device, plan, output, walk)) {
                walk.run(quantizer, calibration == null ? null : calibration.sequences());
            }
            result = finish(plan, calibration, device, folder, writer, output, journal, resumedLayers);
            journal.delete();
        }
        folder.publish();
        return result;
    }

    private JobResult finish(
            QuantizationPlan plan,
            @Nullable CalibrationSet calibration,
            Device device,
            OutputFolder folder,
            CheckpointWriter writer,
            TensorOutput output,
            Journal journal,
            int resumedLayers) {
        List<LinearReport> reports = journal.layers().stream()
                .flatMap(entry -> entry.reports().stream())
                .toList();
        List<ScaleReport> scales = journal.layers().stream()
                .flatMap(entry -> entry.scales().stream())
                .toList();
        SideFiles.write(plan, new LayerQuantizer.Reports(reports, scales), folder.partial());
        writer.finish();
        listener.verifying();
        var checksums = output.takeChecksums();
        journal.layers().forEach(entry -> checksums.putAll(entry.checksums()));
        int verified = new Verification(folder.partial()).checkWritten(checksums);
        return new JobResult(
                options.output(),
                plan,
                reports,
                scales,
                calibration == null ? null : calibration.report(),
                resumedLayers,
                plan.sourceBytes(),
                plan.layout().totalBytes(),
                device.memory().peakBytes(),
                verified);
    }

    private boolean canResume(OutputFolder folder, String fingerprint) {
        Optional<String> existing = Journal.fingerprintIn(folder.partial());
        return existing.isPresent() && existing.get().equals(fingerprint);
    }

    /** Everything that the output depends on. */
    private String fingerprint(Checkpoint checkpoint, @Nullable CalibrationSet calibration, Device device) {
        Path model = options.model();
        return new Fingerprint()
                .add("gpuquant", Version.number())
                .add(model.resolve("config.json"))
                .add(checkpoint)
                .add("method", options.method())
                .add("bits", options.bits())
                .add("group size", options.groupSize())
                .add("symmetric", options.symmetric())
                .add("version", options.version())
                .add(
                        "calibration",
                        calibration == null ? "" : calibration.report().sha256())
                .add("device", device.info().name() + ", " + device.info().architecture())
                .add("matrix products", device.blas().description())
                .hex();
    }

    private LayerQuantizer quantizer(Device device, QuantizationPlan plan, TensorOutput output, LayerWalk walk) {
        StageWriter writer = StageWriter.of(device, plan.scheme(), output);
        Set<String> quantized = plan.quantizedLinears();
        Predicate<LinearSpec> isQuantized = linear -> quantized.contains(linear.name());
        return switch (options.method()) {
            case QuantizationJobOptions.Rtn rtn ->
                stagewise(
                        device,
                        new RoundToNearest(
                                device,
                                grid(QuantizationGrid.Search.MIN_MAX),
                                plan.scheme().groupSize()),
                        writer,
                        isQuantized,
                        walk);
            case QuantizationJobOptions.Gptq gptq ->
                stagewise(device, new GptqMethod(device, gptqOptions(plan, gptq)), writer, isQuantized, walk);
            case QuantizationJobOptions.Awq awq ->
                new AwqLayerQuantizer(
                        device,
                        new AwqOptions(
                                grid(QuantizationGrid.Search.MIN_MAX),
                                plan.scheme().groupSize(),
                                awq.ratios(),
                                awq.duo(),
                                awq.clip()),
                        awq,
                        new AwqLayerQuantizer.Surroundings(
                                walk::load, walk::sourceType, writer, output, isQuantized, listener::linearDone));
        };
    }

    private StagewiseQuantizer stagewise(
            Device device,
            QuantizationMethod method,
            StageWriter writer,
            Predicate<LinearSpec> isQuantized,
            LayerWalk walk) {
        return new StagewiseQuantizer(
                walk::load, new StageQuantizer(device, method, writer, isQuantized, listener::linearDone));
    }

    private GptqOptions gptqOptions(QuantizationPlan plan, QuantizationJobOptions.Gptq gptq) {
        return new GptqOptions(
                grid(gptq.mse() ? QuantizationGrid.Search.MSE : QuantizationGrid.Search.MIN_MAX),
                plan.scheme().groupSize(),
                ordering(gptq),
                gptq.staticGroups(),
                gptq.damping());
    }

    private QuantizationGrid grid(QuantizationGrid.Search search) {
        return new QuantizationGrid(
                options.bits(), options.symmetric(), options.version().smallestZero(), search);
    }

    private static GptqOptions.Ordering ordering(QuantizationJobOptions.Gptq gptq) {
        if (gptq.descAct()) {
            return GptqOptions.Ordering.ACTIVATION;
        }
        return gptq.groupAware() ? GptqOptions.Ordering.GROUP_AWARE : GptqOptions.Ordering.NATURAL;
    }
}
