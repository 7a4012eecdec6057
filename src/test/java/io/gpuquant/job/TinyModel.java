package io.gpuquant.job;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.safetensors.CheckpointLayout;
import io.gpuquant.safetensors.TestCheckpoints;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/**
 * A Llama that is quantized in a moment: a checkpoint folder with random weights, the tokenizer of the demo model, and the
 * files that come with a checkpoint.
 */
public final class TinyModel {

    /** Of every size in {@link #config} that is not set otherwise. */
    private static final int HIDDEN = 128;

    private static final Path TOKENIZER = Path.of("datasets/demo-llama");

    private final ObjectNode config = new ObjectMapper().createObjectNode();
    private final Map<String, UnaryOperator<float[]>> changes = new LinkedHashMap<>();
    private DType dtype = DType.F16;
    private long shardBytes = CheckpointLayout.DEFAULT_MAX_SHARD_BYTES;

    public TinyModel() {
        config.put("model_type", "llama");
        config.putArray("architectures").add("LlamaForCausalLM");
        config.put("hidden_size", HIDDEN);
        config.put("intermediate_size", HIDDEN);
        config.put("num_hidden_layers", 2);
        config.put("num_attention_heads", 4);
        config.put("num_key_value_heads", 2);
        config.put("head_dim", 32);
        config.put("hidden_act", "silu");
        config.put("max_position_embeddings", 32);
        config.put("rms_norm_eps", 1e-5);
        config.put("rope_theta", 10_000.0);
        config.put("vocab_size", 1024);
        config.put("tie_word_embeddings", false);
        config.put("torch_dtype", "float16");
        config.put("bos_token_id", 0);
    }

    /** Half as wide, for tests that run a job many times; takes groups of 64 or 32. */
    public static TinyModel narrow() {
        return new TinyModel()
                .config(object -> object.put("hidden_size", 64)
                        .put("intermediate_size", 64)
                        .put("num_attention_heads", 2)
                        .put("num_key_value_heads", 1));
    }

    /** Writes a text of a few hundred tokens for it to calibrate with; returns the file. */
    public static Path writeText(Path file) {
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < 12; i++) {
            lines.append("{\"text\": \"The potter of village ")
                    .append(i * 37 % 23)
                    .append(" has ");
            lines.append(i * i).append(" jars, and sells ").append(i * 7 % 5).append(" of them on market day.\",");
            lines.append(" \"title\": \"A story of one who makes pots and jars, number ")
                    .append(i);
            lines.append(" of many that are told on the way to the market\"}\n");
        }
        try {
            Files.writeString(file, lines);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return file;
    }

    /** Changes config.json, and the tensors with it. */
    public TinyModel config(Consumer<ObjectNode> change) {
        change.accept(config);
        return this;
    }

    public TinyModel layers(int count) {
        return config(object -> object.put("num_hidden_layers", count));
    }

    public TinyModel dtype(DType newDtype, String name) {
        dtype = newDtype;
        return config(object -> object.put("torch_dtype", name));
    }

    /** Cuts the checkpoint into shards. */
    public TinyModel shards(long mostBytes) {
        shardBytes = mostBytes;
        return this;
    }

    /** Changes the values of a tensor. */
    public TinyModel change(String tensor, UnaryOperator<float[]> change) {
        changes.put(tensor, change);
        return this;
    }

    /** Writes the folder; returns it. */
    public Path write(Path folder) {
        try {
            TestCheckpoints.write(folder, tensors(), shardBytes);
            Files.writeString(folder.resolve("config.json"), config.toPrettyString());
            Files.writeString(folder.resolve("generation_config.json"), "{\"bos_token_id\": 0}\n");
            Files.writeString(folder.resolve("chat_template.jinja"), "{{ messages }}\n");
            Files.writeString(folder.resolve("LICENSE"), "Do as you like.\n");
            Files.writeString(folder.resolve("README.md"), "Says nothing about quantized weights.\n");
            for (String file : List.of("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")) {
                Files.copy(TOKENIZER.resolve(file), folder.resolve(file), StandardCopyOption.REPLACE_EXISTING);
            }
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The tensors, in an order that is neither that of the layers nor that of the alphabet. */
    public List<HostTensor> tensors() {
        int hidden = size("hidden_size");
        int vocabulary = size("vocab_size");
        List<HostTensor> tensors = new ArrayList<>();
        if (!config.path("tie_word_embeddings").asBoolean()) {
            tensors.add(matrix("lm_head.weight", vocabulary, hidden, 0.05f));
        }
        for (int layer = 0; layer < size("num_hidden_layers"); layer++) {
            addLayer(tensors, "model.layers." + layer + ".");
        }
        tensors.add(norm("model.norm.weight", hidden));
        tensors.add(matrix("model.embed_tokens.weight", vocabulary, hidden, 1f));
        return tensors;
    }

    private void addLayer(List<HostTensor> tensors, String prefix) {
        int hidden = size("hidden_size");
        int inner = size("intermediate_size");
        int queries = size("num_attention_heads") * size("head_dim");
        int keys = size("num_key_value_heads") * size("head_dim");
        // A buffer of old transformers versions, which belongs to the checkpoint although nothing needs it.
        tensors.add(TestCheckpoints.tensor(
                prefix + "self_attn.rotary_emb.inv_freq", DType.F32, Shape.of(3), 1f, 0.1f, 0.01f));
        addLinear(tensors, prefix + "mlp.down_proj", hidden, inner, "mlp_bias");
        addLinear(tensors, prefix + "mlp.gate_proj", inner, hidden, "mlp_bias");
        addLinear(tensors, prefix + "mlp.up_proj", inner, hidden, "mlp_bias");
        tensors.add(norm(prefix + "input_layernorm.weight", hidden));
        addLinear(tensors, prefix + "self_attn.k_proj", keys, hidden, "attention_bias");
        addLinear(tensors, prefix + "self_attn.o_proj", hidden, queries, "attention_bias");
        addLinear(tensors, prefix + "self_attn.q_proj", queries, hidden, "attention_bias");
        addLinear(tensors, prefix + "self_attn.v_proj", keys, hidden, "attention_bias");
        tensors.add(norm(prefix + "post_attention_layernorm.weight", hidden));
    }

    private void addLinear(List<HostTensor> tensors, String name, int out, int in, String biasKey) {
        tensors.add(matrix(name + ".weight", out, in, 0.08f));
        if (config.path(biasKey).asBoolean()) {
            tensors.add(tensor(name + ".bias", Shape.of(out), 0.02f, 0));
        }
    }

    private HostTensor matrix(String name, int rows, int columns, float deviation) {
        return tensor(name, Shape.of(rows, columns), deviation, 0);
    }

    private HostTensor norm(String name, int width) {
        return tensor(name, Shape.of(width), 0.1f, 1);
    }

    private HostTensor tensor(String name, Shape shape, float deviation, float mean) {
        Random random = new Random(name.hashCode());
        float[] values = new float[Math.toIntExact(shape.elementCount())];
        for (int i = 0; i < values.length; i++) {
            values[i] = mean + deviation * (float) random.nextGaussian();
        }
        UnaryOperator<float[]> change = changes.getOrDefault(name, UnaryOperator.identity());
        return TestCheckpoints.tensor(name, dtype, shape, change.apply(values));
    }

    private int size(String key) {
        return config.path(key).asInt();
    }
}
