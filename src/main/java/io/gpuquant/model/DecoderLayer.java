package io.gpuquant.model;

import java.util.List;

/**
 * A decoder layer as data.
 *
 * @param index counted from zero
 * @param attentionNorm the tensor with the weight of the norm before the attention
 * @param mlpNorm the tensor with the weight of the norm before the MLP
 * @param stages in the order of {@link Stage.Kind}
 */
public record DecoderLayer(int index, String attentionNorm, String mlpNorm, List<Stage> stages) {

    public DecoderLayer {
        stages = List.copyOf(stages);
    }

    /** The stage of a kind. */
    public Stage stage(Stage.Kind kind) {
        return stages.get(kind.ordinal());
    }

    /** All linears, in the order they are computed. */
    public List<LinearSpec> linears() {
        return stages.stream().flatMap(stage -> stage.linears().stream()).toList();
    }
}
