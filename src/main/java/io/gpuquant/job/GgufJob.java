package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.format.SourceCheckpoint;
import io.gpuquant.gguf.GgufLayout;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.safetensors.Checkpoint;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * From a checkpoint to a GGUF file in one step, tensor by tensor: checked first, verified at the end, and given its name last.
 * Killed at any moment, the same job goes on where it was and makes the same bytes.
 */
public final class GgufJob {

    /** Syncing costs time, doing this much again after a kill does too. */
    private static final long SYNCED_TOGETHER = 64L << 20;

    private final GgufOptions options;
    private final Supplier<Device> devices;
    private final int threads;
    private final GgufListener listener;
    private final long syncedTogether;

    /**
     * @param devices opens the device, once everything has been checked that can be checked without it
     * @param threads of the processor
     */
    public GgufJob(GgufOptions options, Supplier<Device> devices, int threads, GgufListener listener) {
        this(options, devices, threads, listener, SYNCED_TOGETHER);
    }

    /** With other sync points, for tests. */
    GgufJob(GgufOptions options, Supplier<Device> devices, int threads, GgufListener listener, long syncedTogether) {
        this.options = options;
        this.devices = devices;
        this.threads = threads;
        this.listener = listener;
        this.syncedTogether = syncedTogether;
    }

    /**
     * Decides without doing.
     *
     * @throws io.gpuquant.GpuQuantException when it cannot be done
     */
    public GgufPlan plan() {
        ModelConfig config = ModelConfig.read(options.model());
        try (Checkpoint checkpoint = open(config)) {
            return GgufPreflight.plan(options, checkpoint, config, Importance.read(options.importance()));
        }
    }

    /**
     * Runs to the end.
     *
     * @throws io.gpuquant.GpuQuantException when it cannot be done; what was finished is kept for the next run
     */
    public GgufResult run() {
        ModelConfig config = ModelConfig.read(options.model());
        Importance importance = Importance.read(options.importance());
        try (Checkpoint checkpoint = open(config)) {
            GgufPlan plan = GgufPreflight.plan(options, checkpoint, config, importance);
            GgufOutput.check(plan);
            listener.planned(plan);
            try (Device device = devices.get()) {
                listener.deviceOpened(device.info());
                try (GgufOutput output = GgufOutput.open(plan);
                        BlockQuantizer quantizer = quantizer(device)) {
                    GgufTensorStep step = new GgufTensorStep(checkpoint, importance, quantizer);
                    return runOrDiscard(plan, fingerprint(checkpoint, plan), step, output);
                }
            }
        }
    }

    private Checkpoint open(ModelConfig config) {
        return SourceCheckpoint.open(options.model(), config.quantizationConfig(), config.dtype());
    }

    private BlockQuantizer quantizer(Device device) {
        boolean isProcessor = device.info().kind().equals("host");
        return isProcessor && !options.kernels()
                ? BlockQuantizer.onProcessor(threads)
                : BlockQuantizer.onDevice(device, threads);
    }

    /** A folder without a finished tensor is of no use to the next run. */
    private GgufResult runOrDiscard(GgufPlan plan, String fingerprint, GgufTensorStep step, GgufOutput output) {
        try {
            return run(plan, fingerprint, step, output);
        } catch (RuntimeException | Error failure) {
            if (GgufJournal.read(output.partial()).checksums().isEmpty()) {
                output.discard();
            }
            throw failure;
        }
    }

    private GgufResult run(GgufPlan plan, String fingerprint, GgufTensorStep step, GgufOutput output) {
        GgufJournal.Done done = GgufJournal.read(output.partial());
        boolean resumes = done.fingerprint().equals(fingerprint) && output.isBegun();
        if (resumes && !done.checksums().isEmpty()) {
            listener.resumed(done.checksums().size());
        } else if (!resumes) {
            if (!done.checksums().isEmpty()) {
                listener.startedAnew(done.checksums().size());
            }
            output.clear();
            done = new GgufJournal.Done(fingerprint, Map.of());
        }
        Map<String, Long> checksums;
        try (GgufFiles files = new GgufFiles(plan, output.partial(), done, resumes, syncedTogether)) {
            writeAll(plan, step, files);
            checksums = files.finish();
        }
        listener.verifying();
        for (GgufPlan.File file : plan.files()) {
            GgufVerification.requireWritten(output.partial().resolve(file.name()), checksums);
        }
        int resumed = done.checksums().size();
        return new GgufResult(plan, output.publish(), resumed, checksums.size());
    }

    private void writeAll(GgufPlan plan, GgufTensorStep step, GgufFiles files) {
        List<GgufLayout.Spec> tensors = plan.types().tensors();
        long total = tensors.stream().mapToLong(GgufLayout.Spec::byteSize).sum();
        long bytes = 0;
        for (int i = 0; i < tensors.size(); i++) {
            files.write(plan.recipes().get(i), tensors.get(i), step);
            bytes += tensors.get(i).byteSize();
            listener.tensorDone(i + 1, tensors.size(), bytes, total);
        }
    }

    /** Everything that the bytes depend on. The header of the first file has types, shapes and the tokenizer. */
    private String fingerprint(Checkpoint checkpoint, GgufPlan plan) {
        Fingerprint fingerprint = new Fingerprint()
                .add(options.model().resolve("config.json"))
                .add(checkpoint)
                .add("types", options.types());
        options.importance().ifPresent(fingerprint::add);
        plan.files()
                .forEach(file ->
                        fingerprint.add(file.name(), file.layout().header().toString()));
        return fingerprint.hex();
    }
}
