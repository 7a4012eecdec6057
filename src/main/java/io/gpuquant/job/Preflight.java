package io.gpuquant.job;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.UsageException;
import io.gpuquant.Version;
import io.gpuquant.format.AwqConfig;
import io.gpuquant.format.AwqScheme;
import io.gpuquant.format.AwqVersion;
import io.gpuquant.format.CompressedTensors;
import io.gpuquant.format.GptqConfig;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.format.GptqVersion;
import io.gpuquant.format.PackQuantizedConfig;
import io.gpuquant.format.PackQuantizedScheme;
import io.gpuquant.format.PackedScheme;
import io.gpuquant.format.SourceCheckpoint;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LayerNorms;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.model.Router;
import io.gpuquant.model.Stage;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.CheckpointLayout;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.safetensors.TensorSpec;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Shape;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Checks everything that can be known to fail before any work is done, and decides the rest. */
final class Preflight {

    private static final List<Integer> USUAL_GROUP_SIZES = List.of(128, 64, 32);
    private static final int AWQ_BITS = 4;
    private static final int AWQ_GROUP_UNIT = 8;
    private static final int AWQ_WIDE_GROUP = 128;

    private Preflight() {}

    /**
     * Makes the plan of a job.
     *
     * @param maxShardBytes tensor bytes that a file of the output may have
     * @throws InputException when the model, or the combination of model and options, cannot be quantized
     */
    static QuantizationPlan plan(
            QuantizationJobOptions options, Checkpoint checkpoint, ModelConfig config, long maxShardBytes) {
        Choices choices = choose(
                options,
                config,
                structure -> checkpoint
                        .find(structure.leadingWeight())
                        .map(TensorInfo::dtype)
                        .orElse(DType.F16));
        ModelStructure structure = choices.structure();
        requireTensors(structure, checkpoint);
        PackedScheme scheme = choices.scheme();
        List<LinearDecision> decisions = choices.decisions();
        CheckpointLayout layout = CheckpointLayout.of(
                outputTensors(checkpoint, decisions, scheme), CheckpointLayout.DEFAULT_METADATA, maxShardBytes);
        return new QuantizationPlan(
                options,
                structure,
                checkpoint.info(structure.leadingWeight()).dtype(),
                scheme,
                decisions,
                layout,
                quantizationConfig(options, scheme, structure, decisions),
                choices.warnings(),
                checkpoint.totalBytes());
    }

    /** What is decided by options and config.json alone. */
    record Choices(
            ModelStructure structure, PackedScheme scheme, List<LinearDecision> decisions, List<String> warnings) {}

    /**
     * Decides what needs no weights to be decided.
     *
     * @param modelType the type of a model's weights
     */
    static Choices choose(
            QuantizationJobOptions options, ModelConfig config, Function<ModelStructure, DType> modelType) {
        SourceCheckpoint.requirePlainOrFp8(config.quantizationConfig(), options.model());
        ModelStructure structure = ModelStructure.of(config);
        if (options.importance().isPresent()) {
            ImportanceOutput.requireNames(structure);
        }
        PackedScheme scheme = scheme(options, structure, modelType.apply(structure));
        List<LinearDecision> decisions = LinearDecision.ofStages(structure, scheme::obstacle);
        List<LinearSpec> quantized = decisions.stream()
                .filter(LinearDecision::quantized)
                .map(LinearDecision::linear)
                .toList();
        if (quantized.isEmpty()) {
            throw new InputException("no linear of " + options.model() + " can be quantized: "
                    + decisions.getFirst().reason());
        }
        List<String> warnings = new ArrayList<>(LoaderNotes.of(scheme, quantized));
        decisions.stream()
                .filter(decision -> !decision.quantized())
                .findFirst()
                .ifPresent(kept ->
                        warnings.add(kept.linear().name() + " and its like are kept as they are: " + kept.reason()));
        return new Choices(structure, scheme, decisions, warnings);
    }

    /** Every tensor the model needs must be there, in the shape config.json says; the rest is copied without a look. */
    static void requireTensors(ModelStructure structure, Checkpoint checkpoint) {
        requireTensors(structure, checkpoint, structure.config().vocabSize());
    }

    /**
     * The same.
     *
     * @param embeddingRows rows of the embedding, where they are others than config.json says
     */
    static void requireTensors(ModelStructure structure, Checkpoint checkpoint, long embeddingRows) {
        ModelConfig config = structure.config();
        int hidden = config.hiddenSize();
        if (config.experts().isPresent()) {
            refuseStackedExperts(checkpoint);
        }
        requireTensor(checkpoint, structure.embedding(), Shape.of(embeddingRows, hidden));
        requireTensor(checkpoint, structure.finalNorm().tensor(), Shape.of(hidden));
        requireTensor(
                checkpoint,
                structure.outputHead(),
                Shape.of(structure.isTied() ? embeddingRows : config.vocabSize(), hidden));
        structure.layers().forEach(layer -> {
            LayerNorms norms = layer.norms();
            norms.ofStream().forEach(norm -> requireTensor(checkpoint, norm.tensor(), Shape.of(hidden)));
            norms.ofHeads().forEach(norm -> requireTensor(checkpoint, norm.tensor(), Shape.of(config.headDim())));
            layer.router()
                    .map(Router::linear)
                    .ifPresent(linear ->
                            requireTensor(checkpoint, linear.weightName(), Shape.of(linear.out(), linear.in())));
            layer.linears().forEach(linear -> {
                requireTensor(checkpoint, linear.weightName(), Shape.of(linear.out(), linear.in()));
                if (linear.bias()) {
                    requireTensor(checkpoint, linear.biasName(), Shape.of(linear.out()));
                }
            });
        });
    }

    /** Some versions of transformers hold all experts of a layer in one tensor, and may have saved it so. */
    private static void refuseStackedExperts(Checkpoint checkpoint) {
        for (TensorInfo info : checkpoint.tensors()) {
            if (info.shape().rank() == 3 && info.name().contains(".experts.")) {
                throw new InputException(
                        checkpoint.fileOf(info.name()) + ": " + info.name() + " has shape " + info.shape()
                                + ", all experts of a layer in one tensor, which is not supported; save the checkpoint with one"
                                + " tensor for each expert, as it was published");
            }
        }
    }

    private static void requireTensor(Checkpoint checkpoint, String name, Shape shape) {
        TensorInfo info = checkpoint
                .find(name)
                .orElseThrow(() -> new InputException(checkpoint.directory() + " has no tensor " + name
                        + ", which its config.json calls for; download the checkpoint again"));
        if (!info.dtype().isComputeType()) {
            throw new InputException(checkpoint.fileOf(name) + ": " + name + " is of type " + info.dtype()
                    + "; only F32, F16 and BF16 weights can be quantized");
        }
        if (!info.shape().equals(shape)) {
            throw new InputException(checkpoint.fileOf(name) + ": " + name + " has shape " + info.shape()
                    + ", but config.json calls for " + shape);
        }
    }

    private static PackedScheme scheme(QuantizationJobOptions options, ModelStructure structure, DType modelType) {
        int groupSize = options.groupSize();
        if (groupSize != -1) {
            for (LinearSpec linear : structure.linears()) {
                if (linear.in() % groupSize != 0) {
                    throw new InputException("--group-size " + groupSize + " does not divide the " + linear.in()
                            + " input features of " + linear.name() + "; use " + fittingGroupSizes(structure));
                }
            }
        }
        return switch (options.version()) {
            case GptqVersion version -> gptqScheme(options, version);
            case AwqVersion version -> awqScheme(options, version);
            case CompressedTensors version -> packQuantizedScheme(options, modelType);
        };
    }

    private static GptqScheme gptqScheme(QuantizationJobOptions options, GptqVersion version) {
        if (options.method() instanceof QuantizationJobOptions.Awq) {
            throw new UsageException("--format " + version.formatName()
                    + " is not for AWQ; use --format awq or compressed-tensors, or quantize with gpuquant gptq");
        }
        // Where groups are runs of consecutive features, engines need not look at g_idx, and are told so.
        boolean descAct = options.method() instanceof QuantizationJobOptions.Gptq gptq
                && gptq.descAct()
                && !gptq.staticGroups()
                && options.groupSize() != -1;
        return new GptqScheme(options.bits(), options.groupSize(), options.symmetric(), descAct, version);
    }

    private static AwqScheme awqScheme(QuantizationJobOptions options, AwqVersion version) {
        int groupSize = options.groupSize();
        if (options.method() instanceof QuantizationJobOptions.Gptq) {
            throw new UsageException(
                    "--format awq is for codes rounded to nearest; use gptq, gptq_v2 or compressed-tensors, or quantize with gpuquant awq");
        }
        if (options.bits() != AWQ_BITS) {
            throw new UsageException("--bits " + options.bits()
                    + " cannot be written in the format of AWQ: its loaders take 4-bit weights only;"
                    + " use --bits 4, --format compressed-tensors, or gpuquant gptq");
        }
        requireAwqGroups(groupSize);
        if (version == AwqVersion.GEMV && groupSize != 32 && groupSize != 64 && groupSize < AWQ_WIDE_GROUP) {
            throw new UsageException(
                    "--version GEMV takes --group-size 32, 64 or 128; with " + groupSize + " use --version GEMM");
        }
        return new AwqScheme(groupSize, options.symmetric(), version);
    }

    private static void requireAwqGroups(int groupSize) {
        if (groupSize != -1 && groupSize % AWQ_GROUP_UNIT != 0) {
            throw new UsageException("--group-size " + groupSize + " is not a multiple of " + AWQ_GROUP_UNIT
                    + ", as AWQ's kernels want it; use 128, 64 or 32");
        }
    }

    private static PackQuantizedScheme packQuantizedScheme(QuantizationJobOptions options, DType modelType) {
        if (options.method() instanceof QuantizationJobOptions.Gptq gptq
                && gptq.descAct()
                && !gptq.staticGroups()
                && options.groupSize() != -1) {
            throw new UsageException("--desc-act makes groups that engines read from compressed-tensors checkpoints no"
                    + " longer; add --static-groups, or leave it out");
        }
        if (options.method() instanceof QuantizationJobOptions.Awq) {
            requireAwqGroups(options.groupSize());
        }
        // Engines read scales in the type of the model. F32 models are served in half types; F16 is the more exact one.
        DType scaleType = modelType == DType.BF16 ? DType.BF16 : DType.F16;
        return new PackQuantizedScheme(options.bits(), options.groupSize(), options.symmetric(), scaleType);
    }

    private static String fittingGroupSizes(ModelStructure structure) {
        List<String> fitting = USUAL_GROUP_SIZES.stream()
                .filter(size -> structure.linears().stream().allMatch(linear -> linear.in() % size == 0))
                .map(String::valueOf)
                .toList();
        return String.join(
                ", ",
                Stream.concat(fitting.stream(), Stream.of("-1 (one group per output)"))
                        .toList());
    }

    /** The source's tensors in their order, with the weight of each quantized linear replaced by what it becomes. */
    private static List<TensorSpec> outputTensors(
            Checkpoint checkpoint, List<LinearDecision> decisions, PackedScheme scheme) {
        Map<String, LinearSpec> byWeight = new HashMap<>();
        Map<String, LinearSpec> byBias = new HashMap<>();
        decisions.stream().filter(LinearDecision::quantized).forEach(decision -> {
            byWeight.put(decision.linear().weightName(), decision.linear());
            byBias.put(decision.linear().biasName(), decision.linear());
        });
        List<TensorSpec> tensors = new ArrayList<>();
        for (TensorInfo info : checkpoint.tensors()) {
            LinearSpec linear = byWeight.get(info.name());
            if (linear != null) {
                tensors.addAll(scheme.specs(linear.name(), linear.in(), linear.out()));
            } else if (byBias.containsKey(info.name())) {
                tensors.add(new TensorSpec(info.name(), scheme.biasType(info.dtype()), info.shape()));
            } else {
                tensors.add(new TensorSpec(info.name(), info.dtype(), info.shape()));
            }
        }
        return tensors;
    }

    private static ObjectNode quantizationConfig(
            QuantizationJobOptions options,
            PackedScheme scheme,
            ModelStructure structure,
            List<LinearDecision> decisions) {
        return switch (scheme) {
            case GptqScheme gptq -> gptqConfig(options, gptq, structure, decisions);
            case AwqScheme awq -> AwqConfig.write(awq, keptLinears(structure, decisions));
            case PackQuantizedScheme packed -> PackQuantizedConfig.write(packed, keptLinears(structure, decisions));
        };
    }

    private static List<String> keptLinears(ModelStructure structure, List<LinearDecision> decisions) {
        return Stream.concat(
                        decisions.stream()
                                .filter(decision -> !decision.quantized())
                                .map(decision -> decision.linear().name()),
                        routers(structure).stream())
                .toList();
    }

    private static ObjectNode gptqConfig(
            QuantizationJobOptions options,
            GptqScheme scheme,
            ModelStructure structure,
            List<LinearDecision> decisions) {
        QuantizationJobOptions.MethodOptions method = options.method();
        QuantizationJobOptions.Gptq gptq = method instanceof QuantizationJobOptions.Gptq it ? it : null;
        return GptqConfig.write(
                scheme,
                new GptqConfig.Details(
                        method.name(),
                        gptq == null ? 0 : gptq.damping(),
                        gptq != null && gptq.staticGroups(),
                        gptq != null && gptq.groupAware() && !gptq.descAct(),
                        gptq != null && gptq.mse(),
                        "gpuquant:" + Version.number(),
                        modulesInBlock(structure, decisions),
                        routers(structure)));
    }

    /** Whole names of the routers: loaders that look for parts of names would take "gate" for that of an MLP, too. */
    private static List<String> routers(ModelStructure structure) {
        return structure.layers().stream()
                .flatMap(layer -> layer.router().stream())
                .map(router -> router.linear().name())
                .toList();
    }

    /**
     * Names within a layer of the quantized linears, stage by stage, those of all experts as one; empty when all linears there
     * are, routers among them, are quantized.
     */
    private static List<List<String>> modulesInBlock(ModelStructure structure, List<LinearDecision> decisions) {
        if (routers(structure).isEmpty() && decisions.stream().allMatch(LinearDecision::quantized)) {
            return List.of();
        }
        Set<String> quantized = decisions.stream()
                .filter(LinearDecision::quantized)
                .map(decision -> decision.linear().name())
                .collect(Collectors.toSet());
        Map<String, Set<String>> stages = new LinkedHashMap<>();
        for (DecoderLayer layer : structure.layers()) {
            for (Stage stage : layer.stages()) {
                String group = stage.kind() + (stage.expert().isPresent() ? " of experts" : "");
                stage.linears().stream()
                        .filter(linear -> quantized.contains(linear.name()))
                        .forEach(linear -> stages.computeIfAbsent(group, key -> new LinkedHashSet<>())
                                .add(linear.nameInLayer()));
            }
        }
        return stages.values().stream().map(List::copyOf).toList();
    }
}
