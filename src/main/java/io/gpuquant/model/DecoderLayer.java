package io.gpuquant.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A decoder layer as data.
 *
 * @param index counted from zero
 * @param headDim elements of an attention head
 * @param attentionIn queries, keys and values
 * @param attentionOut the attention's output projection
 * @param feedForwards the MLP, or the experts
 * @param router what sends tokens to the experts; empty where there is one MLP for all
 */
public record DecoderLayer(
        int index,
        LayerNorms norms,
        LayerAttention attention,
        int headDim,
        Stage attentionIn,
        Stage attentionOut,
        List<FeedForward> feedForwards,
        Optional<Router> router) {

    public DecoderLayer {
        feedForwards = List.copyOf(feedForwards);
        if (router.isEmpty() && feedForwards.size() != 1) {
            throw new IllegalArgumentException(feedForwards.size() + " MLPs and no router in layer " + index);
        }
        if (router.isPresent() && norms.afterMlp().isPresent()) {
            throw new IllegalArgumentException("experts before a norm in layer " + index);
        }
    }

    /** The tensor with the weight of the norm before the attention. */
    public String attentionNorm() {
        return norms.attention().tensor();
    }

    /** The tensor with the weight of the norm before the MLP. */
    public String mlpNorm() {
        return norms.mlp().tensor();
    }

    /** All stages, in the order they are computed. */
    public List<Stage> stages() {
        List<Stage> stages = new ArrayList<>(List.of(attentionIn, attentionOut));
        feedForwards.forEach(feedForward -> stages.addAll(List.of(feedForward.in(), feedForward.out())));
        return stages;
    }

    /** The stage of a kind; of the first expert where there are several. */
    public Stage stage(Stage.Kind kind) {
        return switch (kind) {
            case ATTENTION_IN -> attentionIn;
            case ATTENTION_OUT -> attentionOut;
            case MLP_IN -> feedForwards.getFirst().in();
            case MLP_OUT -> feedForwards.getFirst().out();
        };
    }

    /** All linears that may be quantized, in the order they are computed. */
    public List<LinearSpec> linears() {
        return stages().stream().flatMap(stage -> stage.linears().stream()).toList();
    }
}
