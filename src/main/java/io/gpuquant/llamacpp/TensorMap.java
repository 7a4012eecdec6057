package io.gpuquant.llamacpp;

import static java.util.Map.entry;

import io.gpuquant.InputException;
import io.gpuquant.file.Quoted;
import io.gpuquant.gguf.GgmlType;
import io.gpuquant.gguf.TypePlan;
import io.gpuquant.llamacpp.TensorRecipe.Content;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a checkpoint's tensors become in a GGUF file.
 *
 * @see <a href="https://github.com/ggml-org/llama.cpp/blob/master/gguf-py/gguf/tensor_mapping.py">llama.cpp,
 *     tensor_mapping.py</a>
 */
public final class TensorMap {

    private static final Pattern LAYER = Pattern.compile("model\\.layers\\.(\\d+)\\.(.+)\\.(weight|bias)");
    private static final Pattern EXPERT = Pattern.compile("(?:block_sparse_moe|mlp)\\.experts\\.(\\d+)\\.(\\w+)");

    private static final Map<String, String> OUTER = Map.of(
            "model.embed_tokens.weight", "token_embd.weight",
            "model.norm.weight", "output_norm.weight",
            "lm_head.weight", "output.weight");

    private static final Map<String, String> WITHIN = Map.ofEntries(
            entry("input_layernorm", "attn_norm"),
            entry("self_attn.q_proj", "attn_q"),
            entry("self_attn.k_proj", "attn_k"),
            entry("self_attn.v_proj", "attn_v"),
            entry("self_attn.o_proj", "attn_output"),
            entry("self_attn.qkv_proj", "attn_qkv"),
            entry("self_attn.q_norm", "attn_q_norm"),
            entry("self_attn.k_norm", "attn_k_norm"),
            entry("pre_feedforward_layernorm", "ffn_norm"),
            entry("post_feedforward_layernorm", "post_ffw_norm"),
            entry("mlp.gate_proj", "ffn_gate"),
            entry("mlp.up_proj", "ffn_up"),
            entry("mlp.down_proj", "ffn_down"),
            entry("mlp.gate_up_proj", "ffn_up"),
            entry("block_sparse_moe.gate", "ffn_gate_inp"),
            entry("mlp.gate", "ffn_gate_inp"));

    private static final Map<String, String> EXPERT_PARTS = Map.of(
            "w1", "ffn_gate_exps",
            "gate_proj", "ffn_gate_exps",
            "w3", "ffn_up_exps",
            "up_proj", "ffn_up_exps",
            "w2", "ffn_down_exps",
            "down_proj", "ffn_down_exps");

    private final ModelConfig config;
    private final Architecture architecture;
    private final Map<String, TensorRecipe> recipes = new TreeMap<>(TypePlan.FILE_ORDER);
    private final Map<String, TreeMap<Integer, TensorInfo>> experts = new TreeMap<>();

    private TensorMap(ModelConfig config) {
        this.config = config;
        architecture = Architecture.of(config);
    }

    /**
     * The tensors of a file, in its order.
     *
     * @param tensors all tensors of the checkpoint
     * @throws InputException when one of them has no place in a file
     */
    public static List<TensorRecipe> of(ModelConfig config, List<TensorInfo> tensors) {
        TensorMap map = new TensorMap(config);
        tensors.stream().sorted(Comparator.comparing(TensorInfo::name)).forEach(map::add);
        map.stackExperts();
        RopeFactors.of(config).forEach(map::put);
        return List.copyOf(map.recipes.values());
    }

    /**
     * The name in a file of the weight of a linear, which an importance matrix knows it by.
     *
     * @param linear the name of the linear in the checkpoint, without {@code .weight}
     * @return empty for a linear that has no place in a file
     */
    public static Optional<String> weightName(ModelConfig config, String linear) {
        TensorMap map = new TensorMap(config);
        String weight = linear + ".weight";
        Matcher layer = LAYER.matcher(weight);
        if (!layer.matches()) {
            return Optional.ofNullable(OUTER.get(weight));
        }
        Matcher expert = EXPERT.matcher(layer.group(2));
        Optional<String> within =
                expert.matches() ? Optional.ofNullable(EXPERT_PARTS.get(expert.group(2))) : map.within(layer.group(2));
        return within.map(name -> "blk." + layer.group(1) + "." + name + ".weight");
    }

    /**
     * How many rows of a checkpoint's embedding a file has: all of them, but for families whose checkpoints may have more than
     * config.json has tokens.
     *
     * @param stored rows that the checkpoint has
     */
    public static long embeddingRows(ModelConfig config, long stored) {
        return Architecture.of(config).cutsEmbedding() ? Math.min(stored, config.vocabSize()) : stored;
    }

    private void add(TensorInfo tensor) {
        String name = tensor.name();
        if (name.endsWith(".rotary_emb.inv_freq") || (name.equals("lm_head.weight") && config.tieWordEmbeddings())) {
            return;
        }
        Matcher layer = LAYER.matcher(name);
        if (!layer.matches()) {
            put(recipe(Optional.ofNullable(OUTER.get(name)).orElseThrow(() -> unknown(tensor)), tensor));
            return;
        }
        String prefix = "blk." + layer.group(1) + ".";
        Matcher expert = EXPERT.matcher(layer.group(2));
        if (expert.matches()) {
            String part = Optional.ofNullable(EXPERT_PARTS.get(expert.group(2))).orElseThrow(() -> unknown(tensor));
            experts.computeIfAbsent(prefix + part + ".weight", stack -> new TreeMap<>())
                    .put(Integer.parseInt(expert.group(1)), tensor);
            return;
        }
        String within = within(layer.group(2)).orElseThrow(() -> unknown(tensor));
        put(recipe(prefix + within + "." + layer.group(3), tensor));
    }

    private Optional<String> within(String name) {
        if (name.equals("post_attention_layernorm")) {
            return Optional.of(architecture.hasPostNorms() ? "post_attention_norm" : "ffn_norm");
        }
        return Optional.ofNullable(WITHIN.get(name));
    }

    private void put(TensorRecipe recipe) {
        if (recipes.put(recipe.name(), recipe) != null) {
            throw new InputException("two tensors of the checkpoint would be " + recipe.name() + " in a GGUF file ("
                    + String.join(", ", recipe.sources()) + " is one of them); get the checkpoint again");
        }
    }

    private static InputException unknown(TensorInfo tensor) {
        return new InputException("the tensor " + Quoted.text(tensor.name())
                + " has no name in llama.cpp that gpuquant knows, so the model cannot be written as GGUF");
    }

    private TensorRecipe recipe(String name, TensorInfo tensor) {
        List<Long> extents = reversed(tensor.shape());
        if (name.equals(OUTER.get("model.embed_tokens.weight")) && extents.size() == 2) {
            extents.set(1, embeddingRows(config, extents.get(1)));
        }
        boolean isNorm = name.contains("_norm.weight");
        GgmlType kept =
                extents.size() == 1 || isNorm || name.contains("ffn_gate_inp.") ? GgmlType.F32 : plain(tensor.dtype());
        return new TensorRecipe(name, kept, extents, content(name, tensor, isNorm));
    }

    private Content content(String name, TensorInfo tensor, boolean isNorm) {
        if (architecture.addsOneToNorms() && isNorm) {
            return new Content.PlusOne(tensor.name());
        }
        if (architecture.permutesHeads() && (name.contains(".attn_q.") || name.contains(".attn_k."))) {
            return new Content.PermutedHeads(
                    tensor.name(), name.contains(".attn_q.") ? config.numAttentionHeads() : config.numKeyValueHeads());
        }
        return new Content.Copy(tensor.name());
    }

    private static GgmlType plain(DType type) {
        return switch (type) {
            case F16 -> GgmlType.F16;
            case BF16 -> GgmlType.BF16;
            default -> GgmlType.F32;
        };
    }

    private static List<Long> reversed(Shape shape) {
        List<Long> extents = new ArrayList<>();
        Arrays.stream(shape.extents()).forEach(extents::addFirst);
        return extents;
    }

    private void stackExperts() {
        experts.forEach((name, parts) -> {
            TensorInfo first = parts.firstEntry().getValue();
            List<Long> extents = reversed(first.shape());
            for (int i = 0; i < parts.size(); i++) {
                TensorInfo part = parts.get(i);
                if (part == null || !part.shape().equals(first.shape()) || part.dtype() != first.dtype()) {
                    throw new InputException("the experts of " + name + " are not numbered from 0 or not alike ("
                            + first.name() + "); get the checkpoint again");
                }
            }
            extents.add((long) parts.size());
            put(new TensorRecipe(
                    name,
                    plain(first.dtype()),
                    extents,
                    new Content.Stack(
                            parts.values().stream().map(TensorInfo::name).toList())));
        });
    }
}
