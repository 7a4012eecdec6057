package io.gpuquant.job;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.UsageException;
import io.gpuquant.format.SourceCheckpoint;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.CheckpointLayout;
import io.gpuquant.safetensors.CheckpointWriter;
import io.gpuquant.safetensors.TensorSpec;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** An FP8 checkpoint as the plain one that it stands for, in the type that its config.json names. */
public final class Dequantization {

    private final Path folder;
    private final Path output;
    private final boolean overwrite;

    /**
     * @param overwrite whether a finished output of that name may be replaced
     */
    public Dequantization(Path folder, Path output, boolean overwrite) {
        this.folder = folder;
        this.output = output;
        this.overwrite = overwrite;
    }

    /**
     * Runs to the end.
     *
     * @throws io.gpuquant.GpuQuantException when it cannot be done; nothing is left behind then
     */
    public GgufToSafetensors.Result run() {
        ModelConfig config = ModelConfig.read(folder);
        Optional<ObjectNode> quantization = config.quantizationConfig();
        if (quantization.filter(it -> SourceCheckpoint.canRestore(it, folder)).isEmpty()) {
            throw new UsageException("--to safetensors is for GGUF files and FP8 checkpoints, but " + folder + " is "
                    + quantization
                            .map(it -> it.path("quant_method").asText("of an unknown method"))
                            .orElse("not quantized")
                    + "; give another, or use gemm, gemv or compressed-tensors");
        }
        try (Checkpoint checkpoint = SourceCheckpoint.open(folder, quantization, config.dtype())) {
            List<TensorSpec> specs = checkpoint.tensors().stream()
                    .map(info -> new TensorSpec(info.name(), info.dtype(), info.shape()))
                    .toList();
            CheckpointLayout layout = CheckpointLayout.of(
                    specs, CheckpointLayout.DEFAULT_METADATA, CheckpointLayout.DEFAULT_MAX_SHARD_BYTES);
            OutputFolder.check(output, folder, overwrite, layout.fileBytes());
            OutputFolder.makeAtOnce(output, partial -> write(checkpoint, config, layout, partial));
            return new GgufToSafetensors.Result(output, specs.size(), layout.totalBytes());
        }
    }

    private void write(Checkpoint checkpoint, ModelConfig config, CheckpointLayout layout, Path partial) {
        try (CheckpointWriter writer = CheckpointWriter.create(partial, layout)) {
            TensorOutput tensors = new TensorOutput(writer::write);
            CopiedTensors.copy(checkpoint, layout, Set.of(), tensors);
            ObjectNode plain = config.raw();
            plain.remove("quantization_config");
            SideFiles.writeDequantized(plain, Optional.of(folder), partial);
            writer.finish();
            Map<String, Long> checksums = tensors.takeChecksums();
            new Verification(partial).checkWritten(checksums);
        }
    }
}
