package io.gpuquant.llamacpp;

import static io.gpuquant.gguf.GgufValue.count;
import static io.gpuquant.gguf.GgufValue.real;
import static io.gpuquant.gguf.GgufValue.text;

import com.fasterxml.jackson.databind.JsonNode;
import io.gpuquant.InputException;
import io.gpuquant.gguf.FileType;
import io.gpuquant.gguf.GgufValue;
import io.gpuquant.model.ExpertShape;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.RopeScaling;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The shape and the arithmetic of a model under llama.cpp's keys.
 *
 * @see <a href="https://github.com/ggml-org/llama.cpp/blob/master/gguf-py/gguf/constants.py">llama.cpp, constants.py</a>
 */
public final class Hyperparameters {

    private final ModelConfig config;
    private final Architecture architecture;
    private final Map<String, GgufValue> entries = new LinkedHashMap<>();

    private Hyperparameters(ModelConfig config) {
        this.config = config;
        architecture = Architecture.of(config);
    }

    /**
     * The entries of a file's metadata, those of the tokenizer excepted.
     *
     * @param name what the model is called, such as {@code my-model_7b}
     * @param tensors all tensors of the file, for its size
     * @throws InputException when llama.cpp would compute something else than the checkpoint means
     */
    public static Map<String, GgufValue> read(
            ModelConfig config, String name, FileType type, List<TensorRecipe> tensors) {
        Hyperparameters parameters = new Hyperparameters(config);
        parameters.addGeneral(name, type, tensors);
        parameters.addShape();
        parameters.addRope();
        parameters.addAttention();
        return parameters.entries;
    }

    /** What of the model llama.cpp leaves out, a sentence each. */
    public static List<String> warnings(ModelConfig config) {
        Architecture architecture = Architecture.of(config);
        boolean windowed = config.attentionRules().layers().stream().anyMatch(layer -> layer.window() > 0);
        boolean ignored = architecture == Architecture.LLAMA
                || architecture == Architecture.QWEN2
                || architecture == Architecture.QWEN3
                || architecture == Architecture.QWEN3_MOE;
        return windowed && ignored
                ? List.of("llama.cpp attends to all tokens where this model has a sliding window, so texts longer than"
                        + " the window give other results there")
                : List.of();
    }

    private void addGeneral(String name, FileType type, List<TensorRecipe> tensors) {
        entries.put("general.architecture", text(architecture.id()));
        entries.put("general.type", text("model"));
        entries.put("general.name", text(title(name)));
        entries.put("general.size_label", text(sizeLabel(tensors)));
        entries.put("general.file_type", count(type.id()));
        entries.put("general.quantization_version", count(2));
    }

    /** {@code my-model_7b} becomes {@code My Model 7b}. */
    private static String title(String name) {
        return Arrays.stream(name.split("[-_ ]+"))
                .filter(word -> !word.isEmpty())
                .map(word -> word.substring(0, 1).toUpperCase(Locale.ROOT) + word.substring(1))
                .collect(Collectors.joining(" "));
    }

    /** Weights in thousands, millions, billions or trillions with two digits; of one expert and how many there are, if any. */
    private String sizeLabel(List<TensorRecipe> tensors) {
        double all = 0;
        double ofExperts = 0;
        for (TensorRecipe tensor : tensors) {
            double weights =
                    tensor.extents().stream().mapToDouble(extent -> extent).reduce(1, (a, b) -> a * b);
            all += weights;
            ofExperts += tensor.content() instanceof TensorRecipe.Content.Stack ? weights : 0;
        }
        int experts = config.experts().map(ExpertShape::count).orElse(0);
        return experts == 0 ? rounded(all) : experts + "x" + rounded(all - ofExperts + ofExperts / experts);
    }

    private static String rounded(double weights) {
        String units = "KMBT";
        int unit = 0;
        double scaled = weights / 1e3;
        while (scaled >= 1e3 && unit < units.length() - 1) {
            scaled /= 1e3;
            unit++;
        }
        return String.format(Locale.ROOT, scaled < 9.5 ? "%.1f%c" : "%.0f%c", scaled, units.charAt(unit));
    }

    private void put(String key, GgufValue value) {
        entries.put(architecture.id() + "." + key, value);
    }

    private void addShape() {
        put("block_count", count(config.numHiddenLayers()));
        put("context_length", count(config.maxPositionEmbeddings()));
        put("embedding_length", count(config.hiddenSize()));
        put("feed_forward_length", count(config.intermediateSize()));
        put("attention.head_count", count(config.numAttentionHeads()));
        put("attention.head_count_kv", count(config.numKeyValueHeads()));
        put("attention.key_length", count(config.headDim()));
        put("attention.value_length", count(config.headDim()));
        put("attention.layer_norm_rms_epsilon", real((float) config.rmsNormEps()));
        if (architecture == Architecture.LLAMA) {
            put("vocab_size", count(config.vocabSize()));
        }
        config.experts().ifPresent(experts -> {
            put("expert_count", count(experts.count()));
            put("expert_used_count", count(experts.perToken()));
            if (architecture == Architecture.QWEN3_MOE) {
                put("expert_feed_forward_length", count(experts.intermediateSize()));
                requireEqualExperts(experts);
            }
        });
    }

    private static void requireEqualExperts(ExpertShape experts) {
        if (!experts.normalized()) {
            throw new InputException(
                    "norm_topk_prob is false, but llama.cpp makes the weights of a token's experts add up"
                            + " to one for this kind of model");
        }
        if (!experts.denseLayers().isEmpty()) {
            throw new InputException("layer " + experts.denseLayers().iterator().next()
                    + " of this model has no experts, which llama.cpp does not load for its kind");
        }
    }

    private void addRope() {
        put("rope.freq_base", real((float) config.rope().theta()));
        if (architecture == Architecture.LLAMA || architecture == Architecture.PHI3) {
            put("rope.dimension_count", count((int)
                    (config.headDim() * config.rope().rotaryFraction())));
        }
        switch (config.rope().scaling()) {
            case RopeScaling.None none -> {}
            case RopeScaling.Llama3 llama3 -> {} // A tensor says it.
            case RopeScaling.Linear linear -> {
                put("rope.scaling.type", text("linear"));
                put("rope.scaling.factor", real((float) linear.factor()));
            }
            case RopeScaling.Yarn yarn -> addYarn(yarn);
            case RopeScaling.LongRope longRope -> put("rope.scaling.attn_factor", real((float) longRope.magnitude()));
        }
        if (architecture == Architecture.PHI3) {
            put("rope.scaling.original_context_length", count(originalContext()));
        }
    }

    /** llama.cpp multiplies cosines and sines by what is usual, and by {@code attn_factor}. */
    private void addYarn(RopeScaling.Yarn yarn) {
        if (!yarn.turns().isTruncated()) {
            throw new InputException("the YaRN scaling of this model does not round to whole pairs of elements"
                    + " (truncate is false), which llama.cpp does");
        }
        put("rope.scaling.type", text("yarn"));
        put("rope.scaling.factor", real((float) yarn.factor()));
        put("rope.scaling.original_context_length", count(yarn.originalContext()));
        put("rope.scaling.yarn_beta_fast", real((float) yarn.turns().fast()));
        put("rope.scaling.yarn_beta_slow", real((float) yarn.turns().slow()));
        double usual = RopeScaling.Yarn.usualMagnitude(yarn.factor(), 1);
        if (yarn.magnitude() != usual) {
            put("rope.scaling.attn_factor", real((float) (yarn.magnitude() / usual)));
        }
    }

    private int originalContext() {
        JsonNode given = config.raw().path("original_max_position_embeddings");
        return config.rope().scaling() instanceof RopeScaling.LongRope longRope
                ? longRope.originalContext()
                : given.asInt(config.maxPositionEmbeddings());
    }

    private void addAttention() {
        boolean mayHaveBias = architecture == Architecture.LLAMA || architecture == Architecture.QWEN2;
        if (config.attentionBias() && !mayHaveBias) {
            throw new InputException(
                    "the attention of this model has biases, which llama.cpp does not load for " + architecture.id());
        }
        switch (architecture) {
            case GEMMA2 -> {
                requireQueryScale();
                put("attn_logit_softcapping", real((float)
                        config.attentionRules().cap()));
                put("final_logit_softcapping", real((float) config.finalCap()));
                addWindow(2);
            }
            case GEMMA3 -> {
                requireQueryScale();
                if (config.finalCap() > 0) {
                    put("final_logit_softcapping", real((float) config.finalCap()));
                }
                addWindow(6);
                config.attentionRules().layers().stream()
                        .filter(layer -> layer.window() > 0)
                        .findFirst()
                        .ifPresent(layer -> put(
                                "rope.freq_base_swa", real((float) layer.rope().theta())));
            }
            case PHI3 ->
                put(
                        "attention.sliding_window",
                        count(config.attentionRules().layers().getFirst().window()));
            case LLAMA, QWEN2, QWEN3, QWEN3_MOE, GEMMA -> {}
        }
    }

    /** llama.cpp has no key for it. */
    private void requireQueryScale() {
        boolean is27B = config.numHiddenLayers() == GgufConfig.LAYERS_OF_27B.getOrDefault(architecture, 0);
        double divisor = is27B ? (double) config.hiddenSize() / config.numAttentionHeads() : config.headDim();
        double given = config.raw().path("query_pre_attn_scalar").asDouble(config.headDim());
        if (given != divisor) {
            throw new InputException("query_pre_attn_scalar is " + given
                    + ", but llama.cpp divides by the square root of " + divisor + " in a model of this kind and size");
        }
    }

    /** llama.cpp has a window in all but every so many layers, and no key that says otherwise. */
    private void addWindow(int period) {
        var layers = config.attentionRules().layers();
        int window = layers.getFirst().window();
        for (int i = 0; i < layers.size(); i++) {
            int expected = (i + 1) % period == 0 ? 0 : window;
            if (layers.get(i).window() != expected) {
                throw new InputException("layer " + i + " of this model has "
                        + (expected == 0 ? "a sliding window" : "another sliding window or none")
                        + ", which llama.cpp cannot be told; it has one in all but every " + period + " layers");
            }
        }
        put("attention.sliding_window", count(window));
    }
}
