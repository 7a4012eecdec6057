package io.gpuquant.job;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.format.BnbConfig;
import io.gpuquant.format.BnbScheme;
import io.gpuquant.format.CompressedConfig;
import io.gpuquant.format.CompressedScheme;
import io.gpuquant.format.ElementScheme;
import io.gpuquant.format.Fp8BlockConfig;
import io.gpuquant.format.Fp8BlockScheme;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.CheckpointLayout;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.safetensors.TensorSpec;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Checks everything that can be known to fail before any weight is encoded, and decides the rest. */
final class ElementPreflight {

    private static final String WEIGHT = ".weight";

    /** What the output head is called where the embedding takes its place, and its name is not in the checkpoint. */
    private static final String OUTPUT_HEAD = "lm_head";

    private ElementPreflight() {}

    /**
     * Makes the plan of a job.
     *
     * @param maxShardBytes tensor bytes that a file of the output may have
     * @throws InputException when the model, or the combination of model and options, cannot be quantized
     */
    static ElementPlan plan(ElementJobOptions options, Checkpoint checkpoint, ModelConfig config, long maxShardBytes) {
        ModelStructure structure = ModelStructure.of(config);
        Preflight.requireTensors(structure, checkpoint);
        DType weightType = checkpoint.info(structure.leadingWeight()).dtype();
        ElementScheme scheme = scheme(options, weightType, Map.of());
        List<LinearDecision> decisions = LinearDecision.ofStages(structure, scheme::obstacle);
        List<LinearSpec> quantized = decisions.stream()
                .filter(LinearDecision::quantized)
                .map(LinearDecision::linear)
                .toList();
        if (quantized.isEmpty()) {
            throw new InputException("no linear of " + options.model() + " can be quantized: "
                    + decisions.getFirst().reason());
        }
        if (options.target() instanceof ElementJobOptions.Bnb bnb && bnb.doubleQuant()) {
            scheme = scheme(options, weightType, BlockMeans.of(checkpoint, quantized));
        }
        List<String> kept = keptModules(structure, checkpoint, quantized);
        return new ElementPlan(
                options,
                structure,
                scheme,
                decisions,
                CheckpointLayout.of(
                        outputTensors(checkpoint, quantized, scheme), CheckpointLayout.DEFAULT_METADATA, maxShardBytes),
                quantizationConfig(options, scheme, kept),
                warnings(decisions),
                checkpoint.totalBytes());
    }

    private static ElementScheme scheme(ElementJobOptions options, DType weightType, Map<String, Float> offsets) {
        return switch (options.target()) {
            case ElementJobOptions.Bnb bnb -> new BnbScheme(bnb.type(), bnb.doubleQuant(), weightType, offsets);
            case ElementJobOptions.Fp8Blocks blocks ->
                new Fp8BlockScheme(Fp8BlockScheme.BLOCK, Fp8BlockScheme.BLOCK, weightType);
            case ElementJobOptions.Compressed compressed -> new CompressedScheme(compressed.preset(), weightType);
        };
    }

    private static List<String> warnings(List<LinearDecision> decisions) {
        return decisions.stream()
                .filter(decision -> !decision.quantized())
                .limit(1)
                .map(kept -> kept.linear().name() + " and its like are kept as they are: " + kept.reason())
                .toList();
    }

    /**
     * Modules that loaders would expect to be quantized if they were not told: every matrix of the checkpoint that is not, but
     * the embedding. Among them are the output head, routers of experts, and whatever else a model has beside its decoder.
     */
    private static List<String> keptModules(
            ModelStructure structure, Checkpoint checkpoint, List<LinearSpec> quantized) {
        Set<String> kept = new LinkedHashSet<>();
        for (TensorInfo info : checkpoint.tensors()) {
            String name = info.name();
            if (info.shape().rank() == 2 && name.endsWith(WEIGHT) && !name.equals(structure.embedding())) {
                kept.add(name.substring(0, name.length() - WEIGHT.length()));
            }
        }
        quantized.forEach(linear -> kept.remove(linear.name()));
        if (structure.isTied()) {
            kept.add(OUTPUT_HEAD);
        }
        return List.copyOf(kept);
    }

    /** The source's tensors in their order, with the weight of each quantized linear replaced by what it becomes. */
    private static List<TensorSpec> outputTensors(
            Checkpoint checkpoint, List<LinearSpec> quantized, ElementScheme scheme) {
        Map<String, LinearSpec> byWeight = new HashMap<>();
        quantized.forEach(linear -> byWeight.put(linear.weightName(), linear));
        List<TensorSpec> tensors = new ArrayList<>();
        for (TensorInfo info : checkpoint.tensors()) {
            LinearSpec linear = byWeight.get(info.name());
            if (linear == null) {
                tensors.add(new TensorSpec(info.name(), info.dtype(), info.shape()));
            } else {
                tensors.addAll(scheme.specs(linear.name(), linear.in(), linear.out()));
            }
        }
        return tensors;
    }

    private static ObjectNode quantizationConfig(ElementJobOptions options, ElementScheme scheme, List<String> kept) {
        return switch (scheme) {
            case BnbScheme bnb -> {
                DType computeType = options.target() instanceof ElementJobOptions.Bnb target
                        ? target.computeType()
                        : bnb.weightType();
                yield BnbConfig.write(bnb, computeType, kept);
            }
            case Fp8BlockScheme blocks -> Fp8BlockConfig.write(blocks, kept);
            case CompressedScheme compressed -> CompressedConfig.write(compressed, kept);
        };
    }
}
