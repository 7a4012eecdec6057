package io.gpuquant.job;

import io.gpuquant.gguf.GgufLayout;
import io.gpuquant.gguf.GgufTensor;
import io.gpuquant.gguf.GgufWriter;
import io.gpuquant.llamacpp.TensorRecipe;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The files of a run while they grow, and the journal of what is in them for good. */
final class GgufFiles implements AutoCloseable {

    private final Map<String, GgufWriter> byTensor = new HashMap<>();
    private final List<GgufWriter> writers = new ArrayList<>();
    private final GgufJournal journal;
    private final long syncedTogether;
    private final Map<String, Long> checksums;
    private final Map<String, Long> unsynced = new LinkedHashMap<>();
    private long unsyncedBytes;

    /**
     * Begins files, or goes on with those of a run that was interrupted.
     *
     * @param done what is in them already, or an empty journal for files that are not there
     * @param isBegun whether the files are there
     * @param syncedTogether bytes after which the disk is waited for
     */
    GgufFiles(GgufPlan plan, Path folder, GgufJournal.Done done, boolean isBegun, long syncedTogether) {
        this.syncedTogether = syncedTogether;
        checksums = new LinkedHashMap<>(done.checksums());
        try {
            for (GgufPlan.File file : plan.files()) {
                Path path = folder.resolve(file.name());
                GgufWriter writer = isBegun
                        ? GgufWriter.reopen(path, file.layout(), checksums.keySet())
                        : GgufWriter.create(path, file.layout());
                writers.add(writer);
                for (GgufTensor tensor : file.layout().header().tensors()) {
                    byTensor.put(tensor.name(), writer);
                }
            }
            journal = GgufJournal.open(folder, done);
        } catch (Throwable failure) {
            writers.forEach(GgufWriter::close);
            throw failure;
        }
    }

    /** Makes a tensor, unless it is there. */
    void write(TensorRecipe recipe, GgufLayout.Spec tensor, GgufTensorStep step) {
        GgufWriter writer = byTensor.get(tensor.name());
        if (writer == null || checksums.containsKey(tensor.name())) {
            return;
        }
        long checksum = step.make(recipe, tensor.type(), (offset, bytes) -> writer.write(tensor.name(), offset, bytes));
        checksums.put(tensor.name(), checksum);
        unsynced.put(tensor.name(), checksum);
        unsyncedBytes += tensor.byteSize();
        if (unsyncedBytes >= syncedTogether) {
            sync();
        }
    }

    private void sync() {
        writers.forEach(GgufWriter::force);
        journal.add(unsynced);
        unsynced.clear();
        unsyncedBytes = 0;
    }

    /** Waits until everything is on the disk; the CRC-32C of each tensor. */
    Map<String, Long> finish() {
        writers.forEach(GgufWriter::finish);
        sync();
        return checksums;
    }

    @Override
    public void close() {
        writers.forEach(GgufWriter::close);
        journal.close();
    }
}
