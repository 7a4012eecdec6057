package io.gpuquant.job;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.llamacpp.GgufModel;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.safetensors.CheckpointLayout;
import io.gpuquant.safetensors.CheckpointWriter;
import io.gpuquant.safetensors.TensorSpec;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A model in GGUF files as a checkpoint of transformers: names, shapes and the order of rows are those of the original, weights are
 * what the blocks stand for.
 */
public final class GgufToSafetensors {

    private static final int WEIGHTS_AT_A_TIME = 1 << 22;

    private final Path file;
    private final Path output;
    private final boolean overwrite;
    private final DType dtype;
    private final Optional<Path> tokenizer;

    /**
     * @param overwrite whether a finished output of that name may be replaced
     * @param dtype of all tensors: F32, F16 or BF16
     * @param tokenizer a folder whose tokenizer files are copied
     */
    public GgufToSafetensors(Path file, Path output, boolean overwrite, DType dtype, Optional<Path> tokenizer) {
        this.file = file;
        this.output = output;
        this.overwrite = overwrite;
        this.dtype = dtype;
        this.tokenizer = tokenizer;
    }

    /**
     * What was made.
     *
     * @param bytes of all tensors
     */
    public record Result(Path output, int tensors, long bytes) {}

    /**
     * Runs to the end.
     *
     * @throws io.gpuquant.GpuQuantException when it cannot be done; nothing is left behind then
     */
    public Result run() {
        try (GgufModel model = GgufModel.open(file)) {
            List<TensorSpec> specs = model.structure().tensors().stream()
                    .distinct()
                    .map(this::spec)
                    .toList();
            CheckpointLayout layout = CheckpointLayout.of(
                    specs, CheckpointLayout.DEFAULT_METADATA, CheckpointLayout.DEFAULT_MAX_SHARD_BYTES);
            OutputFolder.check(output, file, overwrite, layout.fileBytes());
            OutputFolder.makeAtOnce(output, partial -> write(model, layout, partial));
            return new Result(output, specs.size(), layout.totalBytes());
        }
    }

    private TensorSpec spec(ModelStructure.Expected tensor) {
        return new TensorSpec(
                tensor.name(),
                dtype,
                tensor.rows() == 1 ? Shape.of(tensor.columns()) : Shape.of(tensor.rows(), tensor.columns()));
    }

    private void write(GgufModel model, CheckpointLayout layout, Path folder) {
        try (CheckpointWriter writer = CheckpointWriter.create(folder, layout)) {
            layout.tensors().forEach(tensor -> write(model, tensor.name(), writer));
            SideFiles.writeDequantized(config(model), tokenizer, folder);
            writer.finish();
        }
    }

    private ObjectNode config(GgufModel model) {
        ObjectNode config = model.config().raw();
        config.put(
                "torch_dtype",
                switch (dtype) {
                    case BF16 -> "bfloat16";
                    case F32 -> "float32";
                    default -> "float16";
                });
        config.putArray("architectures")
                .add(
                        switch (model.config().family().modelType()) {
                            case "mixtral" -> "MixtralForCausalLM";
                            case "qwen2" -> "Qwen2ForCausalLM";
                            case "qwen3" -> "Qwen3ForCausalLM";
                            case "qwen3_moe" -> "Qwen3MoeForCausalLM";
                            case "gemma" -> "GemmaForCausalLM";
                            case "gemma2" -> "Gemma2ForCausalLM";
                            case "gemma3_text" -> "Gemma3ForCausalLM";
                            case "phi3" -> "Phi3ForCausalLM";
                            default -> "LlamaForCausalLM";
                        });
        for (String token : List.of("bos", "eos")) {
            model.set()
                    .first()
                    .whole("tokenizer.ggml." + token + "_token_id")
                    .ifPresent(id -> config.put(token + "_token_id", id));
        }
        return config;
    }

    private void write(GgufModel model, String name, CheckpointWriter writer) {
        GgufModel.Tensor source = model.find(name).orElseThrow();
        int columns = source.columns();
        int slab = Math.clamp(WEIGHTS_AT_A_TIME / columns, 1, source.rows());
        for (int first = 0; first < source.rows(); first += slab) {
            int from = first;
            int count = Math.min(slab, source.rows() - first);
            try (Arena arena = Arena.ofShared()) {
                MemorySegment piece = arena.allocate(dtype.bytes((long) count * columns), Float.BYTES);
                IntStream.range(0, count).parallel().forEach(row -> {
                    float[] weights = new float[columns];
                    source.read(from + row, weights);
                    for (int i = 0; i < columns; i++) {
                        set(piece, (long) row * columns + i, weights[i], source);
                    }
                });
                writer.write(name, dtype.bytes((long) first * columns), piece);
            }
        }
    }

    private void set(MemorySegment piece, long index, float weight, GgufModel.Tensor source) {
        Elements.setFloat(piece, dtype, index, weight);
        if (!Float.isFinite(Elements.floatAt(piece, dtype, index))) {
            throw new InputException(file + ": " + source.stored().name() + " holds " + weight
                    + (Float.isFinite(weight)
                            ? ", too much for " + dtype + "; use --dtype BF16 or F32"
                            : "; the file is damaged, get it again"));
        }
    }
}
