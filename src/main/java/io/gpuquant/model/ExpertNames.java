package io.gpuquant.model;

import java.util.List;
import java.util.Optional;

/**
 * What a family calls its experts, in tensors and in config.json.
 *
 * @param router the module that chooses, within a layer
 * @param expertPrefix before everything of an expert; {@code %d} stands for its index
 * @param in gate and up
 * @param out down
 * @param sizeKey the key with the width of an expert's inner layer
 * @param normalizedKey the key that says whether a token's shares add up to one; they always do where there is none
 */
public record ExpertNames(
        String router,
        String expertPrefix,
        List<String> in,
        String out,
        String sizeKey,
        Optional<String> normalizedKey) {

    /** Mixtral's (Jiang et al., arXiv 2401.04088). */
    static final ExpertNames MIXTRAL = new ExpertNames(
            "block_sparse_moe.gate",
            "block_sparse_moe.experts.%d.",
            List.of("w1", "w3"),
            "w2",
            "intermediate_size",
            Optional.empty());

    /** Qwen's. */
    static final ExpertNames QWEN = new ExpertNames(
            "mlp.gate",
            "mlp.experts.%d.",
            List.of("gate_proj", "up_proj"),
            "down_proj",
            "moe_intermediate_size",
            Optional.of("norm_topk_prob"));

    public ExpertNames {
        in = List.copyOf(in);
    }

    /** The name of a module of an expert, within a layer. */
    String ofExpert(int index, String name) {
        return String.format(expertPrefix, index) + name;
    }
}
