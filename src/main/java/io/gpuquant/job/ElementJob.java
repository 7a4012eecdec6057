package io.gpuquant.job;

import io.gpuquant.calibration.CalibrationSet;
import io.gpuquant.calibration.TextFile;
import io.gpuquant.calibration.TextTokenizer;
import io.gpuquant.device.Device;
import io.gpuquant.format.SourceCheckpoint;
import io.gpuquant.model.CheckpointWeights;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.WeightSource;
import io.gpuquant.quantize.LinearReport;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.CheckpointLayout;
import io.gpuquant.safetensors.CheckpointWriter;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * An encoding of a checkpoint's linears as elements of a narrow type: checked first, then weight by weight, verified at the
 * end, and given its name last. A run that was killed is begun anew, but for what it had found out about activations, which is
 * the long part; the same job makes the same bytes.
 */
public final class ElementJob {

    private final ElementJobOptions options;
    private final Supplier<Device> devices;
    private final JobListener listener;
    private final long maxShardBytes;

    /**
     * @param devices opens the device, once everything has been checked that can be checked without it
     */
    public ElementJob(ElementJobOptions options, Supplier<Device> devices, JobListener listener) {
        this(options, devices, listener, CheckpointLayout.DEFAULT_MAX_SHARD_BYTES);
    }

    /**
     * @param maxShardBytes tensor bytes that a file of the output may have
     */
    ElementJob(ElementJobOptions options, Supplier<Device> devices, JobListener listener, long maxShardBytes) {
        this.options = options;
        this.devices = devices;
        this.listener = listener;
        this.maxShardBytes = maxShardBytes;
    }

    /**
     * Runs to the end.
     *
     * @throws io.gpuquant.GpuQuantException when it cannot be done; what was found out about activations is kept for the next
     *     run
     */
    public ElementResult run() {
        ModelConfig config = ModelConfig.read(options.model());
        SourceCheckpoint.requirePlainOrFp8(config.quantizationConfig(), options.model());
        try (Checkpoint checkpoint =
                SourceCheckpoint.open(options.model(), config.quantizationConfig(), config.dtype())) {
            ElementPlan plan = ElementPreflight.plan(options, checkpoint, config, maxShardBytes);
            OutputFolder.check(
                    options.output(),
                    options.model(),
                    options.overwrite(),
                    plan.layout().fileBytes());
            listener.planned(plan.warnings());
            @Nullable CalibrationSet calibration = calibration(config);
            if (calibration != null) {
                listener.calibrated(calibration.report());
            }
            try (Device device = devices.get()) {
                listener.deviceOpened(device.info());
                try (OutputFolder folder = OutputFolder.open(options.output())) {
                    ElementResult result = runOrDiscard(checkpoint, plan, calibration, device, folder);
                    folder.publish();
                    return result;
                }
            }
        }
    }

    private @Nullable CalibrationSet calibration(ModelConfig config) {
        QuantizationJobOptions.Calibration wanted = options.calibration();
        if (wanted == null) {
            return null;
        }
        TextFile given = wanted.text();
        TextFile text = given == null ? TextFile.builtIn() : given;
        try (TextTokenizer tokenizer = TextTokenizer.open(options.model(), config.vocabSize())) {
            return CalibrationSet.read(text, tokenizer, wanted.samplingFor(config));
        }
    }

    /** A folder without ranges of activations is of no use to the next run. */
    private ElementResult runOrDiscard(
            Checkpoint checkpoint,
            ElementPlan plan,
            @Nullable CalibrationSet calibration,
            Device device,
            OutputFolder folder) {
        try {
            return run(checkpoint, plan, calibration, device, folder);
        } catch (RuntimeException | Error failure) {
            if (!Files.exists(folder.partial().resolve(InputRanges.FILE))) {
                folder.discard();
            }
            throw failure;
        }
    }

    private ElementResult run(
            Checkpoint checkpoint,
            ElementPlan plan,
            @Nullable CalibrationSet calibration,
            Device device,
            OutputFolder folder) {
        WeightSource source = new CheckpointWeights(checkpoint, device);
        InputRanges ranges = calibration == null ? null : ranges(checkpoint, plan, calibration, source, device, folder);
        if (ranges == null) {
            discardLayers(folder);
        }
        try (CheckpointWriter writer = CheckpointWriter.create(folder.partial(), plan.layout())) {
            TensorOutput output = new TensorOutput(writer::write);
            CopiedTensors.copy(checkpoint, plan.layout(), plan.madeTensors(), output);
            List<LinearReport> reports = new ArrayList<>();
            ElementLayers layers = new ElementLayers(device, plan, source, ranges, output, report -> {
                reports.add(report);
                listener.linearDone(report);
            });
            for (DecoderLayer layer : plan.structure().layers()) {
                layers.encode(layer);
                listener.layerDone(layer.index() + 1, plan.structure().layers().size());
            }
            return finish(plan, calibration, reports, device, folder, writer, output);
        }
    }

    private ElementResult finish(
            ElementPlan plan,
            @Nullable CalibrationSet calibration,
            List<LinearReport> reports,
            Device device,
            OutputFolder folder,
            CheckpointWriter writer,
            TensorOutput output) {
        var checksums = output.takeChecksums();
        SideFiles.write(plan, reports, checksums, folder.partial());
        writer.finish();
        listener.verifying();
        int verified = new Verification(folder.partial()).checkWritten(checksums);
        return new ElementResult(
                options.output(),
                plan,
                reports,
                calibration == null ? null : calibration.report(),
                plan.sourceBytes(),
                plan.layout().totalBytes(),
                device.memory().peakBytes(),
                verified);
    }

    /** What an earlier run found, or what a pass finds now. Leaves nothing else in the folder. */
    private InputRanges ranges(
            Checkpoint checkpoint,
            ElementPlan plan,
            CalibrationSet calibration,
            WeightSource source,
            Device device,
            OutputFolder folder) {
        String fingerprint = fingerprint(checkpoint, calibration, device);
        Optional<InputRanges> kept = InputRanges.read(folder.partial(), fingerprint);
        discardLayers(folder);
        int layers = plan.structure().layers().size();
        InputRanges ranges = kept.orElseGet(() -> new RangePass(device, plan.structure(), source)
                .run(calibration.sequences(), done -> listener.layerDone(done, layers)));
        ranges.save(folder.partial(), fingerprint);
        return ranges;
    }

    private void discardLayers(OutputFolder folder) {
        int lost = Journal.layersIn(folder.partial());
        if (lost > 0) {
            listener.startedAnew(lost);
        }
        folder.clear();
    }

    /** Everything that ranges of activations depend on. */
    private String fingerprint(Checkpoint checkpoint, CalibrationSet calibration, Device device) {
        return new Fingerprint()
                .add(options.model().resolve("config.json"))
                .add(checkpoint)
                .add("calibration", calibration.report().sha256())
                .add("device", device.info().name() + ", " + device.info().architecture())
                .add("attention", device.attention())
                .add("matrix products", device.blas().description())
                .hex();
    }
}
