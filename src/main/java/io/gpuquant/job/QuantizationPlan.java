package io.gpuquant.job;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.safetensors.CheckpointLayout;
import io.gpuquant.tensor.DType;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Everything that is decided before any weight is touched.
 *
 * @param modelType the type of the model's weights: F32, F16 or BF16
 * @param decisions one per linear, in the order they are computed
 * @param layout every byte of the output but the tensors' content
 * @param quantizationConfig goes into config.json
 * @param warnings what the user should know before hours are spent, a sentence each
 * @param sourceBytes bytes of the source's tensors
 */
public record QuantizationPlan(
        QuantizationJobOptions options,
        ModelStructure structure,
        DType modelType,
        GptqScheme scheme,
        List<LinearDecision> decisions,
        CheckpointLayout layout,
        ObjectNode quantizationConfig,
        List<String> warnings,
        long sourceBytes) {

    public QuantizationPlan {
        decisions = List.copyOf(decisions);
        warnings = List.copyOf(warnings);
    }

    /** Names of the linears that are quantized. */
    public Set<String> quantizedLinears() {
        return decisions.stream()
                .filter(LinearDecision::quantized)
                .map(decision -> decision.linear().name())
                .collect(Collectors.toSet());
    }
}
