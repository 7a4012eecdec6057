package io.gpuquant.job;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.format.PackedScheme;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.Stage;
import io.gpuquant.safetensors.CheckpointLayout;
import io.gpuquant.tensor.DType;
import java.util.HashSet;
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
        PackedScheme scheme,
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

    /**
     * Names of the tensors that are not quantized, but changed by the method and written with their layer: norms that AWQ
     * folds scales into, routers that see their results, and biases of linears that it divides.
     */
    public Set<String> rewrittenTensors() {
        if (!(options.method() instanceof QuantizationJobOptions.Awq)) {
            return Set.of();
        }
        Set<String> quantized = quantizedLinears();
        Set<String> rewritten = new HashSet<>();
        for (DecoderLayer layer : structure.layers()) {
            rewritten.add(layer.attentionNorm());
            rewritten.add(layer.mlpNorm());
            layer.router().ifPresent(router -> rewritten.add(router.linear().weightName()));
            for (Stage stage : layer.stages()) {
                LinearSpec last = stage.linears().getLast();
                if (AwqGroup.isPrevious(stage) && last.bias() && quantized.contains(last.name())) {
                    rewritten.add(last.biasName());
                }
            }
        }
        return rewritten;
    }
}
