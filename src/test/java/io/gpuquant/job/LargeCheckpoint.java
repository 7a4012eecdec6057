package io.gpuquant.job;

import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.safetensors.CheckpointLayout;
import io.gpuquant.safetensors.CheckpointWriter;
import io.gpuquant.safetensors.TensorSpec;
import io.gpuquant.tensor.BFloat16;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Shape;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Writes a checkpoint with the shapes of TinyLlama (1.1 billion weights) and random bfloat16 weights, in files of at most half a
 * gigabyte, for measurements: {@code java … io.gpuquant.job.LargeCheckpoint FOLDER}. The tokenizer is the demo model's, whose
 * tokens are a part of the vocabulary.
 */
final class LargeCheckpoint {

    private static final Path TOKENIZER = Path.of("datasets/demo-llama");
    private static final long SHARD_BYTES = 500_000_000;
    private static final int SLAB = 1 << 20;

    private static final String CONFIG = """
            {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632,
             "num_hidden_layers": 22, "num_attention_heads": 32, "num_key_value_heads": 4, "hidden_act": "silu",
             "max_position_embeddings": 2048, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "vocab_size": 32000,
             "tie_word_embeddings": false, "torch_dtype": "bfloat16", "bos_token_id": 0, "eos_token_id": 1}
            """;

    private LargeCheckpoint() {}

    public static void main(String[] arguments) throws IOException {
        Path folder = Files.createDirectories(Path.of(arguments[0]));
        Files.writeString(folder.resolve("config.json"), CONFIG);
        for (String file : List.of("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")) {
            Files.copy(TOKENIZER.resolve(file), folder.resolve(file), StandardCopyOption.REPLACE_EXISTING);
        }
        List<TensorSpec> specs = specs(ModelStructure.of(ModelConfig.read(folder)));
        CheckpointLayout layout = CheckpointLayout.of(specs, Map.of("format", "pt"), SHARD_BYTES);
        try (CheckpointWriter writer = CheckpointWriter.create(folder, layout);
                Arena arena = Arena.ofConfined()) {
            MemorySegment slab = arena.allocate(SLAB * 2L, 2);
            for (TensorSpec spec : specs) {
                write(writer, spec, slab);
            }
            writer.finish();
        }
    }

    private static List<TensorSpec> specs(ModelStructure structure) {
        ModelConfig config = structure.config();
        List<TensorSpec> specs = new ArrayList<>();
        specs.add(new TensorSpec(structure.embedding(), DType.BF16, Shape.of(config.vocabSize(), config.hiddenSize())));
        for (DecoderLayer layer : structure.layers()) {
            specs.add(new TensorSpec(layer.attentionNorm(), DType.BF16, Shape.of(config.hiddenSize())));
            specs.add(new TensorSpec(layer.mlpNorm(), DType.BF16, Shape.of(config.hiddenSize())));
            for (LinearSpec linear : layer.linears()) {
                specs.add(new TensorSpec(linear.weightName(), DType.BF16, Shape.of(linear.out(), linear.in())));
            }
        }
        specs.add(new TensorSpec("model.norm.weight", DType.BF16, Shape.of(config.hiddenSize())));
        specs.add(
                new TensorSpec(structure.outputHead(), DType.BF16, Shape.of(config.vocabSize(), config.hiddenSize())));
        return specs;
    }

    /** Norms near one, matrices with sums of four even numbers of a standard deviation of 0.02. */
    private static void write(CheckpointWriter writer, TensorSpec spec, MemorySegment slab) {
        SplittableRandom random = new SplittableRandom(spec.name().hashCode());
        boolean norm = spec.shape().rank() == 1;
        long count = spec.shape().elementCount();
        for (long done = 0; done < count; done += SLAB) {
            int part = (int) Math.min(SLAB, count - done);
            for (int i = 0; i < part; i++) {
                long bits = random.nextLong();
                int sum = (int) (bits & 0xffff)
                        + (int) (bits >>> 16 & 0xffff)
                        + (int) (bits >>> 32 & 0xffff)
                        + (int) (bits >>> 48);
                float value = (sum - 131_070) * (0.02f / 37_837f);
                slab.setAtIndex(ValueLayout.JAVA_SHORT, i, BFloat16.fromFloat(norm ? 1 + value : value));
            }
            writer.write(spec.name(), 2 * done, slab.asSlice(0, 2L * part));
        }
    }
}
