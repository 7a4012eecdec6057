package io.gpuquant.gguf;

import static io.gpuquant.gguf.GgmlType.Q3_K;
import static io.gpuquant.gguf.GgmlType.Q4_1;
import static io.gpuquant.gguf.GgmlType.Q4_K;
import static io.gpuquant.gguf.GgmlType.Q5_1;
import static io.gpuquant.gguf.GgmlType.Q5_K;
import static io.gpuquant.gguf.GgmlType.Q6_K;
import static io.gpuquant.gguf.GgmlType.Q8_0;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which tensor gets which block type in a mix, where nothing else was asked for: tensors that matter more get more bits. The
 * rules are those of llama.cpp, {@code llama-quant.cpp}, build 10587; their counters run over tensors in the order of the file,
 * so an instance serves one file, from its first tensor to its last.
 */
final class MixRules {

    private static final Pattern LAYER = Pattern.compile("blk\\.(\\d+)\\.");

    private final FileType mix;
    private final MixModel model;
    private final int valueTensors;
    private int values;
    private int downs;

    /**
     * @param valueTensors how many tensors hold value projections, fused ones included
     */
    MixRules(FileType mix, MixModel model, int valueTensors) {
        this.mix = mix;
        this.model = model;
        this.valueTensors = valueTensors;
    }

    /** Whether a tensor holds value projections. */
    static boolean isValue(String name) {
        return name.contains("attn_v.weight") || name.contains("attn_qkv.weight") || name.contains("attn_kv_b.weight");
    }

    /** The type of a tensor that is to be quantized. */
    GgmlType type(GgufLayout.Spec tensor) {
        String name = tensor.name();
        if (name.equals("output.weight") || (model.tied() && name.equals("token_embd.weight"))) {
            return mix.base() == Q8_0 ? Q8_0 : Q6_K;
        }
        if (isValue(name)) {
            return value(values++);
        }
        if (name.contains("attn_k.weight")) {
            return model.experts() == 8 ? Q8_0 : mix.base();
        }
        if (name.contains("attn_output.weight")) {
            return attentionOutput();
        }
        if (name.contains("ffn_down")) {
            return down(downIndex(name));
        }
        return mix.base();
    }

    private GgmlType value(int i) {
        boolean grouped = model.queriesPerKeyValueHead() >= 4;
        GgmlType type = switch (mix) {
            case Q2_K -> grouped ? Q4_K : Q3_K;
            case Q2_K_S -> grouped ? Q4_K : mix.base();
            case Q3_K_M -> i < 2 ? Q5_K : Q4_K;
            case Q3_K_L -> Q5_K;
            case Q4_K_S -> i < 4 ? Q5_K : mix.base();
            case Q4_K_M, Q5_K_M -> more(i, valueTensors) ? Q6_K : mix.base();
            case IQ4_NL, IQ4_XS -> grouped ? Q5_K : mix.base();
            default -> mix.base();
        };
        if (model.is70B() && (type == Q3_K || type == Q4_K)) {
            // Values are shared by eight heads there, and small: more bits for them cost next to nothing.
            type = Q5_K;
        }
        return model.experts() == 8 ? Q8_0 : type;
    }

    private GgmlType attentionOutput() {
        if (model.experts() == 8) {
            return switch (mix) {
                case Q2_K, Q3_K_S, Q3_K_M, Q4_K_S, Q4_K_M, IQ4_NL, IQ4_XS -> Q5_K;
                default -> mix.base();
            };
        }
        return switch (mix) {
            case Q2_K -> Q3_K;
            case Q3_K_M -> Q4_K;
            case Q3_K_L -> Q5_K;
            default -> mix.base();
        };
    }

    /** Stacked experts are counted by their layer, since a layer may have none. */
    private int downIndex(String name) {
        int count = downs++;
        Matcher layer = LAYER.matcher(name);
        return model.experts() > 1 && layer.lookingAt() ? Integer.parseInt(layer.group(1)) : count;
    }

    private GgmlType down(int i) {
        int layers = model.layers();
        boolean first = i < layers / 8;
        return switch (mix) {
            case Q2_K -> Q3_K;
            case Q2_K_S -> first ? Q4_K : mix.base();
            case Q3_K_M -> i < layers / 16 ? Q5_K : Q4_K;
            case Q3_K_L -> Q5_K;
            case Q4_K_S -> first ? Q5_K : mix.base();
            case Q4_K_M, Q5_K_M -> more(i, layers) ? Q6_K : mix.base();
            case IQ4_NL, IQ4_XS -> first && !model.importance() ? Q5_K : mix.base();
            case Q4_0 -> first && model.importance() ? Q4_1 : mix.base();
            case Q5_0 -> first && model.importance() ? Q5_1 : mix.base();
            default -> mix.base();
        };
    }

    /** The first and last eighth, and every third between. */
    private static boolean more(int i, int count) {
        return i < count / 8 || i >= 7 * count / 8 || (i - count / 8) % 3 == 2;
    }
}
