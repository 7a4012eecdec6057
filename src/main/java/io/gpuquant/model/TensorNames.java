package io.gpuquant.model;

/**
 * What a family calls its tensors.
 *
 * @param embedding the token embedding
 * @param layerPrefix before everything of a decoder layer; {@code %d} stands for its index
 * @param attentionNorm the norm before the attention, within a layer
 * @param query the query projection, within a layer
 * @param key the key projection
 * @param value the value projection
 * @param attentionOut the attention's output projection
 * @param mlpNorm the norm before the MLP
 * @param gate the gate projection
 * @param up the up projection
 * @param down the down projection
 * @param finalNorm the norm after the last layer
 * @param outputHead the output head, absent from checkpoints that tie it to the embedding
 */
public record TensorNames(
        String embedding,
        String layerPrefix,
        String attentionNorm,
        String query,
        String key,
        String value,
        String attentionOut,
        String mlpNorm,
        String gate,
        String up,
        String down,
        String finalNorm,
        String outputHead) {

    /** The names of transformers' Llama, which many families share. */
    static final TensorNames LLAMA = new TensorNames(
            "model.embed_tokens.weight",
            "model.layers.%d.",
            "input_layernorm.weight",
            "self_attn.q_proj",
            "self_attn.k_proj",
            "self_attn.v_proj",
            "self_attn.o_proj",
            "post_attention_layernorm.weight",
            "mlp.gate_proj",
            "mlp.up_proj",
            "mlp.down_proj",
            "model.norm.weight",
            "lm_head.weight");

    /** The part of a name that belongs to one layer. */
    String inLayer(int index, String name) {
        return String.format(layerPrefix, index) + name;
    }
}
