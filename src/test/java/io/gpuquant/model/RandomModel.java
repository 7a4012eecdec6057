package io.gpuquant.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.safetensors.CheckpointLayout;
import io.gpuquant.safetensors.TestCheckpoints;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/**
 * A small model of some family with random weights, for tests to write to a folder.
 *
 * @param config its config.json
 * @param tensors its weights
 */
public record RandomModel(ObjectNode config, List<HostTensor> tensors) {

    private static final String SMALL = """
            {"model_type": "llama", "hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 101, "rms_norm_eps": 1e-05,
             "max_position_embeddings": 4096}""";

    public RandomModel {
        tensors = List.copyOf(tensors);
    }

    /** The config.json of a model of two layers with the members of this JSON object added or replaced. */
    public static ObjectNode config(String changes) {
        try {
            ObjectNode config = (ObjectNode) new ObjectMapper().readTree(SMALL);
            return config.setAll((ObjectNode) new ObjectMapper().readTree(changes));
        } catch (JsonProcessingException malformed) {
            throw new IllegalArgumentException(changes, malformed);
        }
    }

    /** Whether a linear of a model has a bias. */
    static boolean hasBias(ObjectNode config, String name) {
        String type = config.path("model_type").textValue();
        if (name.contains(".self_attn.")) {
            return type.equals("qwen2")
                    ? !name.endsWith("o_proj")
                    : config.path("attention_bias").asBoolean();
        }
        return type.equals("llama") && config.path("mlp_bias").asBoolean();
    }

    /** Weights of all shapes that a configuration calls for, of a size that keeps activations near one. */
    public static RandomModel of(ObjectNode config, DType dtype, long seed) {
        return new Weights(config, dtype, seed).model();
    }

    /** Writes the model as one file, in place of one that is there. */
    public Path write(Path folder) {
        return write(folder, CheckpointLayout.DEFAULT_MAX_SHARD_BYTES);
    }

    /** Writes the model in files of at most {@code maxShardBytes}. */
    public Path write(Path folder, long maxShardBytes) {
        try {
            Files.deleteIfExists(folder.resolve("model.safetensors"));
            TestCheckpoints.write(folder, tensors, maxShardBytes);
            Files.writeString(folder.resolve("config.json"), config.toString());
        } catch (IOException failure) {
            throw new IllegalStateException(failure);
        }
        return folder;
    }

    /** The model with one tensor replaced, or left out if {@code replacement} has no element. */
    public RandomModel with(String name, List<HostTensor> replacement) {
        List<HostTensor> changed = new ArrayList<>();
        for (HostTensor tensor : tensors) {
            if (tensor.name().equals(name)) {
                changed.addAll(replacement);
            } else {
                changed.add(tensor);
            }
        }
        return new RandomModel(config, changed);
    }

    /** The weight of this name. */
    public HostTensor tensor(String name) {
        return tensors.stream()
                .filter(tensor -> tensor.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException(name));
    }

    /** The values of a weight as they are stored. */
    public double[] values(String name) {
        HostTensor tensor = tensor(name);
        double[] values = new double[Math.toIntExact(tensor.shape().elementCount())];
        for (int i = 0; i < values.length; i++) {
            values[i] = Elements.floatAt(tensor.data(), tensor.dtype(), i);
        }
        return values;
    }

    /** Sequences of random tokens. */
    public int[][] sequences(int count, int length, long seed) {
        RandomGenerator random = new SplittableRandom(seed);
        int[][] ids = new int[count][length];
        for (int[] sequence : ids) {
            for (int i = 0; i < length; i++) {
                sequence[i] = random.nextInt(config.path("vocab_size").intValue());
            }
        }
        return ids;
    }

    /** Draws the tensors one after another. */
    private static final class Weights {

        private final ObjectNode config;
        private final DType dtype;
        private final RandomGenerator random;
        private final List<HostTensor> tensors = new ArrayList<>();

        Weights(ObjectNode config, DType dtype, long seed) {
            this.config = config;
            this.dtype = dtype;
            random = new SplittableRandom(seed);
        }

        RandomModel model() {
            int hidden = integer("hidden_size");
            int inner = integer("intermediate_size");
            int heads = integer("num_attention_heads");
            int headDim = config.path("head_dim").asInt(hidden / heads);
            int queries = heads * headDim;
            int keys = config.path("num_key_value_heads").asInt(heads) * headDim;
            String type = config.path("model_type").textValue();
            matrix("model.embed_tokens.weight", integer("vocab_size"), hidden, 1);
            for (int layer = 0; layer < integer("num_hidden_layers"); layer++) {
                String prefix = "model.layers." + layer + ".";
                norm(prefix + "input_layernorm.weight", hidden);
                norm(prefix + "post_attention_layernorm.weight", hidden);
                if (type.equals("gemma2") || type.equals("gemma3_text")) {
                    norm(prefix + "pre_feedforward_layernorm.weight", hidden);
                    norm(prefix + "post_feedforward_layernorm.weight", hidden);
                }
                if (type.startsWith("qwen3") || type.equals("gemma3_text")) {
                    norm(prefix + "self_attn.q_norm.weight", headDim);
                    norm(prefix + "self_attn.k_norm.weight", headDim);
                }
                if (type.equals("phi3")) {
                    linear(prefix + "self_attn.qkv_proj", queries + 2 * keys, hidden);
                } else {
                    linear(prefix + "self_attn.q_proj", queries, hidden);
                    linear(prefix + "self_attn.k_proj", keys, hidden);
                    linear(prefix + "self_attn.v_proj", keys, hidden);
                }
                linear(prefix + "self_attn.o_proj", hidden, queries);
                mlp(type, prefix, layer);
            }
            norm("model.norm.weight", hidden);
            if (!config.path("tie_word_embeddings").asBoolean(type.startsWith("gemma"))) {
                matrix("lm_head.weight", integer("vocab_size"), hidden, 1 / Math.sqrt(hidden));
            }
            tensors.sort(Comparator.comparing(HostTensor::name));
            return new RandomModel(config, tensors);
        }

        private void mlp(String type, String prefix, int layer) {
            int hidden = integer("hidden_size");
            int inner = integer("intermediate_size");
            int experts = config.path("num_local_experts")
                    .asInt(config.path("num_experts").asInt());
            if (type.equals("mixtral")) {
                linear(prefix + "block_sparse_moe.gate", experts, hidden);
                for (int expert = 0; expert < experts; expert++) {
                    String name = prefix + "block_sparse_moe.experts." + expert + ".";
                    linear(name + "w1", inner, hidden);
                    linear(name + "w2", hidden, inner);
                    linear(name + "w3", inner, hidden);
                }
            } else if (isSparse(type, layer)) {
                linear(prefix + "mlp.gate", experts, hidden);
                for (int expert = 0; expert < experts; expert++) {
                    String name = prefix + "mlp.experts." + expert + ".";
                    linear(name + "gate_proj", integer("moe_intermediate_size"), hidden);
                    linear(name + "up_proj", integer("moe_intermediate_size"), hidden);
                    linear(name + "down_proj", hidden, integer("moe_intermediate_size"));
                }
            } else if (type.equals("phi3")) {
                linear(prefix + "mlp.gate_up_proj", 2 * inner, hidden);
                linear(prefix + "mlp.down_proj", hidden, inner);
            } else {
                linear(prefix + "mlp.gate_proj", inner, hidden);
                linear(prefix + "mlp.up_proj", inner, hidden);
                linear(prefix + "mlp.down_proj", hidden, inner);
            }
        }

        private boolean isSparse(String type, int layer) {
            boolean listed = false;
            for (JsonNode dense : config.path("mlp_only_layers")) {
                listed |= dense.intValue() == layer;
            }
            int step = config.path("decoder_sparse_step").asInt(1);
            return type.equals("qwen3_moe") && !listed && (layer + 1) % step == 0;
        }

        /** Gemma's norms multiply by one more than what is stored. */
        private void norm(String name, int length) {
            vector(name, length, config.path("model_type").textValue().startsWith("gemma") ? 0 : 1, 0.1);
        }

        private int integer(String key) {
            return config.path(key).intValue();
        }

        private void linear(String name, int out, int in) {
            matrix(name + ".weight", out, in, 1 / Math.sqrt(in));
            if (hasBias(config, name)) {
                vector(name + ".bias", out, 0, 0.5);
            }
        }

        private void matrix(String name, int rows, int columns, double deviation) {
            tensors.add(
                    TestCheckpoints.tensor(name, dtype, Shape.of(rows, columns), normal(rows * columns, 0, deviation)));
        }

        private void vector(String name, int length, double mean, double deviation) {
            tensors.add(TestCheckpoints.tensor(name, dtype, Shape.of(length), normal(length, mean, deviation)));
        }

        private float[] normal(int count, double mean, double deviation) {
            float[] values = new float[count];
            for (int i = 0; i < count; i++) {
                values[i] = (float) random.nextGaussian(mean, deviation);
            }
            return values;
        }
    }
}
