package io.gpuquant.job;

import io.gpuquant.UsageException;
import io.gpuquant.calibration.ConnectedText;
import io.gpuquant.calibration.TextTokenizer;
import io.gpuquant.calibration.TokenSequences;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.format.SourceCheckpoint;
import io.gpuquant.gguf.ImportanceMatrix;
import io.gpuquant.model.CheckpointWeights;
import io.gpuquant.model.Chunking;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.OutputHead;
import io.gpuquant.model.Stage;
import io.gpuquant.model.WeightSource;
import io.gpuquant.safetensors.Checkpoint;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** Measures how much the input features of a model's linears matter, by running a text through the original model. */
public final class ImportanceJob {

    private final ImportanceOptions options;
    private final Supplier<Device> devices;
    private final JobListener listener;

    /**
     * @param devices opens the device, once everything has been checked that can be checked without it
     */
    public ImportanceJob(ImportanceOptions options, Supplier<Device> devices, JobListener listener) {
        this.options = options;
        this.devices = devices;
        this.listener = listener;
    }

    /**
     * Runs to the end, and writes the file.
     *
     * @return what was written
     * @throws io.gpuquant.GpuQuantException when it cannot be done; nothing is written then
     */
    public ImportanceMatrix run() {
        ImportanceOutput.requireFile("--out", options.output());
        ModelConfig config = ModelConfig.read(options.model());
        SourceCheckpoint.requirePlainOrFp8(config.quantizationConfig(), options.model());
        ModelStructure structure = ModelStructure.of(config);
        try (Checkpoint checkpoint =
                SourceCheckpoint.open(options.model(), config.quantizationConfig(), config.dtype())) {
            ConnectedText text = read(config);
            try (Device device = devices.get()) {
                listener.deviceOpened(device.info());
                CheckpointWeights source = new CheckpointWeights(checkpoint, device);
                structure.requireTensors(source);
                ImportanceMatrix matrix = new ImportanceMatrix(
                        new ImportanceMatrix.Origin(
                                List.of(String.valueOf(options.text().path().getFileName())),
                                text.pieces().count(),
                                options.chunkSize()),
                        pass(device, structure, source, text.pieces()));
                matrix.write(options.output());
                return matrix;
            }
        }
    }

    private ConnectedText read(ModelConfig config) {
        if (options.chunkSize() > config.maxPositionEmbeddings()) {
            throw new UsageException("--chunk-size " + options.chunkSize() + " is more than the "
                    + config.maxPositionEmbeddings() + " tokens that the model can take; use less");
        }
        try (TextTokenizer tokenizer = TextTokenizer.open(options.model(), config.vocabSize())) {
            return ConnectedText.read(options.text(), tokenizer, options.chunkSize(), options.chunks());
        }
    }

    private List<ImportanceMatrix.Entry> pass(
            Device device, ModelStructure structure, WeightSource source, TokenSequences sequences) {
        List<ImportanceMatrix.Entry> entries = new ArrayList<>();
        try (OriginalPass pass = new OriginalPass(device, structure, source, sequences);
                ImportanceWatch watch = new ImportanceWatch(device, structure.config())) {
            for (DecoderLayer layer : structure.layers()) {
                pass.observe(layer, watch);
                entries.addAll(watch.takeEntries(layer.stages()));
                listener.layerDone(layer.index() + 1, structure.layers().size());
            }
            if (options.processOutput() && !structure.isTied()) {
                entries.addAll(outputHead(device, structure, source, pass, watch));
            }
        }
        return entries;
    }

    /** A tied head is the embedding, of which llama.cpp knows no importance. */
    private static List<ImportanceMatrix.Entry> outputHead(
            Device device, ModelStructure structure, WeightSource source, OriginalPass pass, ImportanceWatch watch) {
        ModelConfig config = structure.config();
        Stage stage = new Stage(
                Stage.Kind.MLP_OUT,
                List.of(new LinearSpec(
                        structure.outputHead().replace(".weight", ""),
                        config.hiddenSize(),
                        config.vocabSize(),
                        false)));
        try (OutputHead head = new OutputHead(device, structure, source, pass.operandType())) {
            Chunking chunking = pass.hidden().chunking();
            for (int chunk = 0; chunk < chunking.count(); chunk++) {
                DeviceMatrix rows = pass.hidden().open(chunk);
                for (int row = 0; row < rows.rows(); row += head.mostRows()) {
                    DeviceMatrix piece = rows.rows(row, Math.min(head.mostRows(), rows.rows() - row));
                    watch.input(stage, chunk, head.normalize(piece));
                }
            }
            return watch.takeEntries(List.of(stage));
        }
    }

    /** The default name: beside the model, after it. */
    public static Path defaultOutput(Path model, Optional<String> nameInCache) {
        Path absolute = model.toAbsolutePath().normalize();
        String name = nameInCache.orElseGet(() -> String.valueOf(absolute.getFileName()));
        Path file = Path.of(name + ".imatrix.gguf");
        return nameInCache.isPresent() ? file.toAbsolutePath() : absolute.resolveSibling(file);
    }
}
