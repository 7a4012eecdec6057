package io.gpuquant.job;

import io.gpuquant.calibration.CalibrationReport;
import io.gpuquant.calibration.CalibrationSet;
import io.gpuquant.calibration.TextFile;
import io.gpuquant.calibration.TextTokenizer;
import io.gpuquant.calibration.TokenSequences;
import io.gpuquant.device.Device;
import io.gpuquant.format.SourceCheckpoint;
import io.gpuquant.gguf.ImportanceMatrix;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.CheckpointLayout;
import io.gpuquant.safetensors.CheckpointWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A quantization from a checkpoint to a checkpoint: checked first, then layer by layer, each written and journaled when it
 * is done, verified at the end, and given its name last. Killed at any moment, the same job goes on where it was and makes the
 * same bytes.
 */
public final class QuantizationJob {

    private final QuantizationJobOptions options;
    private final Supplier<List<Device>> devices;
    private final JobListener listener;
    private final long maxShardBytes;

    /**
     * @param devices opens the device, once everything has been checked that can be checked without it
     */
    public QuantizationJob(QuantizationJobOptions options, Supplier<Device> devices, JobListener listener) {
        this(options, devices, listener, CheckpointLayout.DEFAULT_MAX_SHARD_BYTES);
    }

    /**
     * A job of several devices, which share the calibration sequences and the linears.
     *
     * @param devices opens the devices, once everything has been checked that can be checked without them
     */
    public static QuantizationJob onSeveral(
            QuantizationJobOptions options, Supplier<List<Device>> devices, JobListener listener) {
        return new QuantizationJob(options, listener, devices, CheckpointLayout.DEFAULT_MAX_SHARD_BYTES);
    }

    /**
     * @param maxShardBytes tensor bytes that a file of the output may have
     */
    QuantizationJob(
            QuantizationJobOptions options, Supplier<Device> devices, JobListener listener, long maxShardBytes) {
        this(options, listener, () -> List.of(devices.get()), maxShardBytes);
    }

    private QuantizationJob(
            QuantizationJobOptions options, JobListener listener, Supplier<List<Device>> devices, long maxShardBytes) {
        this.options = options;
        this.devices = devices;
        this.listener = listener;
        this.maxShardBytes = maxShardBytes;
    }

    /**
     * Runs to the end.
     *
     * @throws io.gpuquant.GpuQuantException when it cannot be done; what was finished is kept for the next run
     */
    public JobResult run() {
        ImportanceOutput.check(options);
        ModelConfig config = ModelConfig.read(options.model());
        try (Checkpoint checkpoint =
                SourceCheckpoint.open(options.model(), config.quantizationConfig(), config.dtype())) {
            QuantizationPlan plan = Preflight.plan(options, checkpoint, config, maxShardBytes);
            OutputFolder.check(
                    options.output(),
                    options.model(),
                    options.overwrite(),
                    plan.layout().fileBytes());
            listener.planned(plan);
            @Nullable CalibrationSet calibration = calibration(config);
            if (calibration != null) {
                listener.calibrated(calibration.report());
            }
            try (OpenDevices opened = new OpenDevices(devices.get())) {
                OpenDevices.requireOneKind(opened.devices());
                opened.devices().forEach(device -> listener.deviceOpened(device.info()));
                LayerWalk.Calibration work = calibration == null ? null : planned(plan, calibration, opened.devices());
                try (OutputFolder folder = OutputFolder.open(options.output())) {
                    JobResult result = runOrDiscard(new Prepared(checkpoint, plan, calibration, work, opened, folder));
                    folder.publish();
                    return result;
                }
            }
        }
    }

    private @Nullable CalibrationSet calibration(ModelConfig config) {
        QuantizationJobOptions.Calibration wanted = options.method().calibrationOrNull();
        if (wanted == null) {
            return null;
        }
        TextFile given = wanted.text();
        TextFile text = given == null ? TextFile.builtIn() : given;
        try (TextTokenizer tokenizer = TextTokenizer.open(options.model(), config.vocabSize())) {
            return CalibrationSet.read(text, tokenizer, wanted.samplingFor(config));
        }
    }

    /** Fails when a device has no room, before anything is written. */
    private LayerWalk.Calibration planned(QuantizationPlan plan, CalibrationSet calibration, List<Device> opened) {
        TokenSequences sequences = calibration.sequences();
        List<MemoryPlan> memory = Rehearsal.plans(
                opened.stream().map(Room::of).toList(),
                room -> Rehearsal.of(room, plan),
                sequences.count(),
                sequences.length());
        memory.forEach(ofDevice -> {
            ofDevice.requireRoom();
            listener.forecast(ofDevice);
        });
        return new LayerWalk.Calibration(sequences, memory);
    }

    /** What a run needs once it has been found that it can be done. */
    private record Prepared(
            Checkpoint checkpoint,
            QuantizationPlan plan,
            @Nullable CalibrationSet calibration,
            LayerWalk.@Nullable Calibration work,
            OpenDevices opened,
            OutputFolder folder) {}

    /** A folder without a finished layer is of no use to the next run. */
    private JobResult runOrDiscard(Prepared prepared) {
        OutputFolder folder = prepared.folder();
        try {
            return run(prepared);
        } catch (RuntimeException | Error failure) {
            if (Journal.layersIn(folder.partial()) == 0) {
                folder.discard();
            }
            throw failure;
        }
    }

    private JobResult run(Prepared prepared) {
        QuantizationPlan plan = prepared.plan();
        OutputFolder folder = prepared.folder();
        String fingerprint = fingerprint(prepared);
        boolean resume = canResume(folder, fingerprint);
        if (!resume) {
            int lost = Journal.layersIn(folder.partial());
            if (lost > 0) {
                listener.startedAnew(lost);
            }
            folder.clear();
        }
        try (CheckpointWriter writer = resume
                        ? CheckpointWriter.reopen(folder.partial(), plan.layout())
                        : CheckpointWriter.create(folder.partial(), plan.layout());
                Journal journal =
                        resume ? Journal.resume(folder.partial()) : Journal.create(folder.partial(), fingerprint)) {
            if (resume) {
                listener.resumed(journal.layers().size());
            }
            int resumedLayers = journal.layers().size();
            TensorOutput output = new TensorOutput(writer::write);
            LayerWalk walk = new LayerWalk(
                    prepared.opened().devices(), plan, prepared.checkpoint(), writer, output, journal, listener);
            ImportanceMatrix importance = importance(prepared.calibration(), walk.run(prepared.work()));
            return finish(prepared, writer, output, journal, resumedLayers, importance);
        }
    }

    private @Nullable ImportanceMatrix importance(
            @Nullable CalibrationSet calibration, List<ImportanceMatrix.Entry> seen) {
        if (options.importance().isEmpty() || calibration == null) {
            return null;
        }
        CalibrationReport report = calibration.report();
        return new ImportanceMatrix(
                new ImportanceMatrix.Origin(
                        List.of(String.valueOf(report.file().getFileName())),
                        report.sequencesUsed(),
                        report.sequenceLength()),
                seen);
    }

    private JobResult finish(
            Prepared prepared,
            CheckpointWriter writer,
            TensorOutput output,
            Journal journal,
            int resumedLayers,
            @Nullable ImportanceMatrix importance) {
        QuantizationPlan plan = prepared.plan();
        Path partial = prepared.folder().partial();
        LayerQuantizer.Reports reports = new LayerQuantizer.Reports(
                journal.layers().stream()
                        .flatMap(entry -> entry.reports().stream())
                        .toList(),
                journal.layers().stream()
                        .flatMap(entry -> entry.scales().stream())
                        .toList());
        var checksums = output.takeChecksums();
        journal.layers().forEach(entry -> checksums.putAll(entry.checksums()));
        SideFiles.write(plan, reports, checksums, partial);
        writer.finish();
        listener.verifying();
        int verified = new Verification(partial).checkWritten(checksums);
        if (importance != null) {
            options.importance().ifPresent(importance::write);
        }
        return new JobResult(
                options.output(),
                plan,
                reports.linears(),
                reports.scales(),
                prepared.calibration() == null ? null : prepared.calibration().report(),
                importance,
                resumedLayers,
                plan.sourceBytes(),
                plan.layout().totalBytes(),
                prepared.opened().peakBytes(),
                verified);
    }

    private boolean canResume(OutputFolder folder, String fingerprint) {
        Optional<String> existing = Journal.fingerprintIn(folder.partial());
        return existing.isPresent() && existing.get().equals(fingerprint);
    }

    /**
     * Everything that the output depends on. An importance matrix does not count: layers that are done are passed through in
     * any case, and show then what they showed at first.
     */
    private String fingerprint(Prepared prepared) {
        CalibrationSet calibration = prepared.calibration();
        OpenDevices opened = prepared.opened();
        Path model = options.model();
        return new Fingerprint()
                .add(model.resolve("config.json"))
                .add(prepared.checkpoint())
                .add("method", options.method().decisive())
                .add("bits", options.bits())
                .add("group size", options.groupSize())
                .add("symmetric", options.symmetric())
                .add("version", options.version())
                .add(
                        "calibration",
                        calibration == null ? "" : calibration.report().sha256())
                .add("device", opened.description())
                .add("attention", opened.devices().getFirst().attention())
                .add("matrix products", opened.devices().getFirst().blas().description())
                .hex();
    }
}
