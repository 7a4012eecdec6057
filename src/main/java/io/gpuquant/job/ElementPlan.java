package io.gpuquant.job;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.format.ElementScheme;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.Norm;
import io.gpuquant.safetensors.CheckpointLayout;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Everything that is decided before any weight is encoded.
 *
 * @param decisions one per linear, in the order they are computed
 * @param layout every byte of the output but the tensors' content
 * @param quantizationConfig goes into config.json
 * @param warnings what the user should know, a sentence each
 * @param sourceBytes bytes of the source's tensors
 */
public record ElementPlan(
        ElementJobOptions options,
        ModelStructure structure,
        ElementScheme scheme,
        List<LinearDecision> decisions,
        CheckpointLayout layout,
        ObjectNode quantizationConfig,
        List<String> warnings,
        long sourceBytes) {

    public ElementPlan {
        decisions = List.copyOf(decisions);
        warnings = List.copyOf(warnings);
    }

    /** Names of the linears that are quantized. */
    Set<String> quantizedLinears() {
        return decisions.stream()
                .filter(LinearDecision::quantized)
                .map(decision -> decision.linear().name())
                .collect(Collectors.toSet());
    }

    /** Names of the tensors of the source that are not copied: weights that are encoded, and norms that are smoothed. */
    Set<String> madeTensors() {
        Set<String> made = decisions.stream()
                .filter(LinearDecision::quantized)
                .map(LinearDecision::linear)
                .map(LinearSpec::weightName)
                .collect(Collectors.toCollection(HashSet::new));
        if (options.smoothing() > 0) {
            for (DecoderLayer layer : structure.layers()) {
                layer.stages()
                        .forEach(stage -> SmoothedNorm.before(layer, stage)
                                .map(Norm::tensor)
                                .ifPresent(made::add));
            }
        }
        return made;
    }
}
