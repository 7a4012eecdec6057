package io.gpuquant.llamacpp;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.gguf.Dequantizer;
import io.gpuquant.gguf.GgmlType;
import io.gpuquant.gguf.GgufSet;
import io.gpuquant.gguf.GgufTensor;
import io.gpuquant.gguf.GgufValue;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.RopeScaling;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The config.json that a model in a GGUF file would have. */
final class GgufConfig {

    private static final String WINDOW = "sliding_window";
    private static final String ROPE_SCALING = "rope_scaling";

    /** Models whose queries llama.cpp divides by the square root of the hidden size per head, by their layers. */
    static final Map<Architecture, Integer> LAYERS_OF_27B = Map.of(Architecture.GEMMA2, 46, Architecture.GEMMA3, 62);

    private final GgufSet set;
    private final Path file;
    private final Architecture architecture;
    private final ObjectNode json = JsonNodeFactory.instance.objectNode();

    private GgufConfig(GgufSet set) {
        this.set = set;
        file = set.first().path();
        architecture = architecture(set);
    }

    /**
     * Reads metadata and what tensors say of the model.
     *
     * @throws InputException when the file holds no model that gpuquant computes
     */
    static ModelConfig read(GgufSet set) {
        GgufConfig config = new GgufConfig(set);
        config.addShape();
        config.addAttention();
        config.addRope();
        config.addExperts();
        return ModelConfig.of(config.json, config.file);
    }

    private static Architecture architecture(GgufSet set) {
        String id = set.first()
                .text("general.architecture")
                .orElseThrow(() -> new InputException(set.first().path()
                        + " does not say of which architecture it is; give a model in the GGUF format"));
        return Arrays.stream(Architecture.values())
                .filter(known -> known.id().equals(id))
                .findFirst()
                .orElseThrow(() -> new InputException(set.first().path() + " is of the architecture " + id
                        + ", which gpuquant does not compute; it does "
                        + String.join(
                                ", ",
                                Arrays.stream(Architecture.values())
                                        .map(Architecture::id)
                                        .toList())));
    }

    private void addShape() {
        boolean experts = whole("expert_count").orElse(0L) > 0;
        json.put(
                "model_type",
                switch (architecture) {
                    case LLAMA -> experts ? "mixtral" : "llama";
                    case QWEN2 -> "qwen2";
                    case QWEN3 -> "qwen3";
                    case QWEN3_MOE -> "qwen3_moe";
                    case GEMMA -> "gemma";
                    case GEMMA2 -> "gemma2";
                    case GEMMA3 -> "gemma3_text";
                    case PHI3 -> "phi3";
                });
        json.put("hidden_size", required("embedding_length"));
        json.put("intermediate_size", required("feed_forward_length"));
        json.put("num_hidden_layers", required("block_count"));
        json.put("max_position_embeddings", required("context_length"));
        json.put("vocab_size", embedding().rows());
        json.put(
                "rms_norm_eps", decimal(real("attention.layer_norm_rms_epsilon").orElse(0.0)));
        json.put("tie_word_embeddings", set.find("output.weight").isEmpty());
        json.put(
                "torch_dtype",
                switch (embedding().type()) {
                    case BF16 -> "bfloat16";
                    case F32 -> "float32";
                    default -> "float16";
                });
    }

    private GgufTensor embedding() {
        return set.find("token_embd.weight")
                .orElseThrow(() -> new InputException(file + " has no tensor token_embd.weight; get the file again"));
    }

    private void addAttention() {
        long heads = required("attention.head_count");
        long head = whole("attention.key_length").orElse(required("embedding_length") / Math.max(1, heads));
        if (whole("attention.value_length").orElse(head) != head) {
            throw new InputException(file + " has values of another width than keys, which gpuquant does not compute");
        }
        json.put("num_attention_heads", heads);
        json.put("num_key_value_heads", whole("attention.head_count_kv").orElse(heads));
        json.put("head_dim", head);
        if (architecture == Architecture.LLAMA) {
            json.put("attention_bias", set.find("blk.0.attn_q.bias").isPresent());
            json.put("mlp_bias", set.find("blk.0.ffn_up.bias").isPresent());
        }
        if (architecture.hasPostNorms()) {
            boolean is27B = required("block_count") == LAYERS_OF_27B.getOrDefault(architecture, 0);
            json.put("query_pre_attn_scalar", is27B ? required("embedding_length") / heads : head);
            real("attn_logit_softcapping").ifPresent(cap -> json.put("attn_logit_softcapping", decimal(cap)));
            real("final_logit_softcapping").ifPresent(cap -> json.put("final_logit_softcapping", decimal(cap)));
        }
        if (architecture.hasPostNorms() || architecture == Architecture.PHI3) {
            long window = whole("attention." + WINDOW).orElse(0L);
            if (window > 0) {
                json.put(WINDOW, window);
            } else {
                json.putNull(WINDOW);
            }
        }
    }

    private void addRope() {
        json.put("rope_theta", decimal(real("rope.freq_base").orElse(10_000.0)));
        real("rope.freq_base_swa").ifPresent(base -> json.put("rope_local_base_freq", decimal(base)));
        long head = json.path("head_dim").longValue();
        long rotated = whole("rope.dimension_count").orElse(head);
        if (rotated != head) {
            json.put("partial_rotary_factor", (double) rotated / head);
        }
        if (set.find("rope_factors_long.weight").isPresent()) {
            addFactors(
                    "rope_factors_long.weight",
                    "rope_factors_short.weight",
                    real("rope.scaling.attn_factor"),
                    whole("rope.scaling.original_context_length").orElse(required("context_length")));
        } else if (set.find("rope_freqs.weight").isPresent()) {
            // Factors of any origin; as those of LongRoPE they are the same for texts of every length.
            addFactors("rope_freqs.weight", "rope_freqs.weight", Optional.of(1.0), required("context_length"));
        } else {
            addNamedScaling();
        }
    }

    private void addNamedScaling() {
        String type = set.first().text(key("rope.scaling.type")).orElse("none");
        switch (type) {
            case "none" -> {}
            case "linear" ->
                json.putObject(ROPE_SCALING)
                        .put("rope_type", "linear")
                        .put("factor", decimal(real("rope.scaling.factor").orElse(1.0)));
            case "yarn" -> addYarn();
            default ->
                throw new InputException(file + " stretches its rotary embedding by " + type
                        + ", which gpuquant does not compute; give a model with none, linear or yarn");
        }
    }

    private void addYarn() {
        double factor = real("rope.scaling.factor").orElse(1.0);
        ObjectNode scaling = json.putObject(ROPE_SCALING).put("rope_type", "yarn");
        scaling.put("factor", decimal(factor));
        scaling.put(
                "original_max_position_embeddings",
                whole("rope.scaling.original_context_length").orElse(required("context_length")));
        real("rope.scaling.yarn_beta_fast").ifPresent(turns -> scaling.put("beta_fast", decimal(turns)));
        real("rope.scaling.yarn_beta_slow").ifPresent(turns -> scaling.put("beta_slow", decimal(turns)));
        real("rope.scaling.attn_factor")
                .ifPresent(times ->
                        scaling.put("attention_factor", decimal(times * RopeScaling.Yarn.usualMagnitude(factor, 1))));
    }

    private void addFactors(String longFactors, String shortFactors, Optional<Double> magnitude, long original) {
        ObjectNode scaling = json.putObject(ROPE_SCALING).put("rope_type", "longrope");
        scaling.put("original_max_position_embeddings", original);
        magnitude.ifPresent(factor -> scaling.put("attention_factor", decimal(factor)));
        putVector(scaling.putArray("long_factor"), longFactors);
        putVector(scaling.putArray("short_factor"), shortFactors);
    }

    private void putVector(ArrayNode target, String name) {
        GgufTensor tensor = set.find(name)
                .filter(found -> found.type() == GgmlType.F32)
                .orElseThrow(() -> new InputException(file + " has no F32 tensor " + name + "; get the file again"));
        float[] values = new float[Math.toIntExact(tensor.elements())];
        Dequantizer.dequantize(tensor.type(), set.data(tensor), values);
        for (float value : values) {
            target.add(decimal(value));
        }
    }

    private void addExperts() {
        long experts = whole("expert_count").orElse(0L);
        if (experts > 0) {
            json.put("num_local_experts", experts);
            json.put("num_experts_per_tok", required("expert_used_count"));
            json.put("norm_topk_prob", true);
            json.put(
                    "moe_intermediate_size",
                    whole("expert_feed_forward_length").orElse(required("feed_forward_length")));
        }
    }

    /** The shortest decimal number that is this float: what stood in the config.json that it comes from. */
    private static double decimal(double value) {
        return Double.parseDouble(Float.toString((float) value));
    }

    private String key(String name) {
        return architecture.id() + "." + name;
    }

    private Optional<Double> real(String name) {
        return set.first().real(key(name));
    }

    private long required(String name) {
        return whole(name)
                .orElseThrow(() ->
                        new InputException(file + " lacks the metadata entry " + key(name) + "; get the file again"));
    }

    /** A number, or one for each layer if they are all the same. */
    private Optional<Long> whole(String name) {
        GgufValue value = set.first().header().metadata().get(key(name));
        if (!(value instanceof GgufValue.Array array)) {
            return set.first().whole(key(name));
        }
        List<?> distinct = array.elements().stream().distinct().toList();
        if (distinct.size() == 1 && distinct.getFirst() instanceof Long only) {
            return Optional.of(only);
        }
        throw new InputException(
                file + " has layers of different shape (" + key(name) + "), which gpuquant does not compute");
    }
}
