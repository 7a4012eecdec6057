package io.gpuquant.job;

import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.Stage;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * What AWQ scales together: the input of a stage, whose linears are multiplied, and what that input comes from, which is
 * divided. The norm before a stage, or the linear of the stage before whose outputs are its inputs, feature by feature.
 *
 * @param previous the tensor or linear that is divided
 * @param stage gets the scaled input
 */
record AwqGroup(String previous, Stage stage) {

    /** The group of a stage; empty where nothing can be divided in its place. */
    static Optional<AwqGroup> of(DecoderLayer layer, Stage.Kind kind, Predicate<Stage> isQuantized) {
        Stage stage = layer.stage(kind);
        if (!isQuantized.test(stage)) {
            return Optional.empty();
        }
        return switch (kind) {
            case ATTENTION_IN -> Optional.of(new AwqGroup(layer.attentionNorm(), stage));
            case MLP_IN -> Optional.of(new AwqGroup(layer.mlpNorm(), stage));
            case ATTENTION_OUT, MLP_OUT -> {
                // The value projection and the up projection are the last of their stages.
                Stage before =
                        layer.stage(kind == Stage.Kind.ATTENTION_OUT ? Stage.Kind.ATTENTION_IN : Stage.Kind.MLP_IN);
                LinearSpec previous = before.linears().getLast();
                // With grouped queries one value feeds several inputs, each with a scale of its own.
                boolean featureByFeature = previous.out() == stage.in();
                yield featureByFeature && isQuantized.test(before)
                        ? Optional.of(new AwqGroup(previous.name(), stage))
                        : Optional.empty();
            }
        };
    }

    /** Whether the last linear of a stage is what the input of another stage comes from. */
    static boolean isPrevious(Stage stage) {
        return stage.kind() == Stage.Kind.ATTENTION_IN || stage.kind() == Stage.Kind.MLP_IN;
    }

    /** Names of the linears that get the scaled input. */
    List<String> linears() {
        return stage.linears().stream().map(LinearSpec::name).toList();
    }
}
