package io.gpuquant.model;

import java.util.List;
import java.util.Optional;

/**
 * What a family calls its tensors. Names of norms are those of tensors, names of linears those of modules; all but the first,
 * second and last two are within a layer.
 *
 * @param embedding the token embedding
 * @param layerPrefix before everything of a decoder layer; {@code %d} stands for its index
 * @param norms of a layer
 * @param attentionIn the query, key and value projections, or one that has all three in this order
 * @param attentionOut the attention's output projection
 * @param mlpIn the gate and up projections, or one that has both in this order
 * @param mlpOut the down projection
 * @param finalNorm the norm after the last layer
 * @param outputHead the output head, absent from checkpoints that tie it to the embedding
 */
public record TensorNames(
        String embedding,
        String layerPrefix,
        Norms norms,
        List<String> attentionIn,
        String attentionOut,
        List<String> mlpIn,
        String mlpOut,
        String finalNorm,
        String outputHead) {

    /**
     * The norms of a layer, as in {@link LayerNorms}.
     *
     * @param attention before the attention
     * @param mlp before the MLP
     */
    public record Norms(
            String attention,
            String mlp,
            Optional<String> afterAttention,
            Optional<String> afterMlp,
            Optional<String> query,
            Optional<String> key) {

        /** One before the attention and one before the MLP. */
        static final Norms TWO = new Norms(
                "input_layernorm.weight",
                "post_attention_layernorm.weight",
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty());

        /** One before and one after the attention, and the same for the MLP. */
        static final Norms FOUR = new Norms(
                "input_layernorm.weight",
                "pre_feedforward_layernorm.weight",
                Optional.of("post_attention_layernorm.weight"),
                Optional.of("post_feedforward_layernorm.weight"),
                Optional.empty(),
                Optional.empty());

        /** These, and norms of queries and keys. */
        Norms withQueryAndKey() {
            return new Norms(
                    attention,
                    mlp,
                    afterAttention,
                    afterMlp,
                    Optional.of("self_attn.q_norm.weight"),
                    Optional.of("self_attn.k_norm.weight"));
        }
    }

    /** The names of transformers' Llama, which many families share. */
    static final TensorNames LLAMA = new TensorNames(
            "model.embed_tokens.weight",
            "model.layers.%d.",
            Norms.TWO,
            List.of("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            "self_attn.o_proj",
            List.of("mlp.gate_proj", "mlp.up_proj"),
            "mlp.down_proj",
            "model.norm.weight",
            "lm_head.weight");

    public TensorNames {
        attentionIn = List.copyOf(attentionIn);
        mlpIn = List.copyOf(mlpIn);
    }

    /** The same with other norms. */
    TensorNames withNorms(Norms others) {
        return new TensorNames(
                embedding, layerPrefix, others, attentionIn, attentionOut, mlpIn, mlpOut, finalNorm, outputHead);
    }

    /** The same with projections that are fused. */
    TensorNames withFused(String attention, String mlp) {
        return new TensorNames(
                embedding,
                layerPrefix,
                norms,
                List.of(attention),
                attentionOut,
                List.of(mlp),
                mlpOut,
                finalNorm,
                outputHead);
    }

    /** The part of a name that belongs to one layer. */
    String inLayer(int index, String name) {
        return String.format(layerPrefix, index) + name;
    }
}
