package io.gpuquant.job;

import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.FeedForward;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.ModelFamily;
import io.gpuquant.model.Stage;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/**
 * What AWQ scales together: the input of a stage, whose linears are multiplied, and what that input comes from, which is
 * divided. The norm before a stage, or the linear of the stage before whose outputs are its inputs, feature by feature. The
 * input of all experts of a layer is one; their router is multiplied with them.
 *
 * @param previous the tensor or linear that is divided
 * @param stages get the scaled input
 */
record AwqGroup(String previous, List<Stage> stages) {

    /**
     * Stages whose input families do better without scaling. Gemma 3 normalizes queries and keys, and was measured by others
     * to lose by it (llm-compressor, issue 2522).
     */
    private static final Map<String, Set<Stage.Kind>> LEFT_OUT = Map.of("gemma3_text", Set.of(Stage.Kind.ATTENTION_IN));

    /** The group of a norm before the attention, or before the MLP or experts; empty where none is scaled. */
    static Optional<AwqGroup> ofNorm(
            ModelFamily family, DecoderLayer layer, Stage.Kind kind, Predicate<Stage> isQuantized) {
        Set<Stage.Kind> leftOut = LEFT_OUT.getOrDefault(family.modelType(), Set.of());
        boolean attention = kind == Stage.Kind.ATTENTION_IN;
        List<Stage> stages = attention
                ? List.of(layer.attentionIn())
                : layer.feedForwards().stream().map(FeedForward::in).toList();
        // Whatever takes the norm's result must be multiplied, or it would see something else than before.
        return leftOut.contains(kind) || !stages.stream().allMatch(isQuantized)
                ? Optional.empty()
                : Optional.of(new AwqGroup(attention ? layer.attentionNorm() : layer.mlpNorm(), stages));
    }

    /** The group of a stage whose input the stage before gives; empty where nothing can be divided in its place. */
    static Optional<AwqGroup> ofLinear(Stage before, Stage stage, Predicate<Stage> isQuantized) {
        // With grouped queries one value feeds several inputs, each with a scale of its own.
        boolean featureByFeature = before.handedOn() == stage.in();
        return featureByFeature && isQuantized.test(before) && isQuantized.test(stage)
                ? Optional.of(new AwqGroup(before.linears().getLast().name(), List.of(stage)))
                : Optional.empty();
    }

    /** Whether the last linear of a stage is what the input of another stage comes from. */
    static boolean isPrevious(Stage stage) {
        return stage.kind() == Stage.Kind.ATTENTION_IN || stage.kind() == Stage.Kind.MLP_IN;
    }

    /** Names of the linears that get the scaled input. */
    List<String> linears() {
        return stages.stream()
                .flatMap(stage -> stage.linears().stream())
                .map(LinearSpec::name)
                .toList();
    }
}
