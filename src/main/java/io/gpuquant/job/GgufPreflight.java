package io.gpuquant.job;

import io.gpuquant.InputException;
import io.gpuquant.UsageException;
import io.gpuquant.format.SourceCheckpoint;
import io.gpuquant.gguf.GgufLayout;
import io.gpuquant.gguf.GgufType;
import io.gpuquant.gguf.GgufValue;
import io.gpuquant.gguf.ImportanceMatrix;
import io.gpuquant.gguf.MixModel;
import io.gpuquant.gguf.TypePlan;
import io.gpuquant.llamacpp.Hyperparameters;
import io.gpuquant.llamacpp.TensorMap;
import io.gpuquant.llamacpp.TensorRecipe;
import io.gpuquant.llamacpp.Vocabulary;
import io.gpuquant.model.ExpertShape;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.model.ModelStructure;
import io.gpuquant.safetensors.Checkpoint;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Decides a GGUF file, or says why there can be none, before any work is done. */
final class GgufPreflight {

    private static final String SUFFIX = ".gguf";

    private GgufPreflight() {}

    /**
     * Makes the plan.
     *
     * @throws InputException when the model cannot be written as GGUF
     */
    static GgufPlan plan(GgufOptions options, Checkpoint checkpoint, ModelConfig config, Importance importance) {
        SourceCheckpoint.requirePlainOrFp8(config.quantizationConfig(), options.model());
        List<TensorRecipe> recipes = TensorMap.of(config, checkpoint.tensors());
        ModelStructure structure = ModelStructure.of(config);
        long embeddingRows = checkpoint
                .find(structure.embedding())
                .filter(info -> info.shape().rank() == 2)
                .map(info -> info.shape().extent(0))
                .filter(stored -> TensorMap.embeddingRows(config, stored) == config.vocabSize())
                .orElse((long) config.vocabSize());
        Preflight.requireTensors(structure, checkpoint, embeddingRows);
        recipes.forEach(recipe -> recipe.sources().forEach(source -> requireFloats(checkpoint, source)));
        TypePlan types = TypePlan.of(
                options.types(),
                mixModel(config, recipes, importance),
                recipes.stream().map(TensorRecipe::spec).toList());
        Map<String, GgufValue> metadata =
                new LinkedHashMap<>(Hyperparameters.read(config, options.name(), options.mix(), recipes));
        Vocabulary.Metadata tokenizer =
                Vocabulary.read(options.model(), config.raw(), config.vocabSize(), options.preTokenizer());
        metadata.putAll(tokenizer.entries());
        metadata.putAll(importance.metadata());
        List<String> warnings = new ArrayList<>(Hyperparameters.warnings(config));
        warnings.addAll(tokenizer.warnings());
        if (embeddingRows > config.vocabSize()) {
            warnings.add("the embedding has " + embeddingRows + " rows for " + config.vocabSize()
                    + " tokens (vocab_size in config.json); the rest is left out");
        }
        warnings.addAll(unmatched(options, recipes));
        warnings.addAll(unweighed(types, importance));
        return new GgufPlan(
                options, recipes, types, files(options, metadata, types.tensors()), warnings, checkpoint.totalBytes());
    }

    private static void requireFloats(Checkpoint checkpoint, String source) {
        if (!checkpoint.info(source).dtype().isComputeType()) {
            throw new InputException(checkpoint.fileOf(source) + ": " + source + " is of type "
                    + checkpoint.info(source).dtype() + "; only F32, F16 and BF16 weights can be written as GGUF");
        }
    }

    private static MixModel mixModel(ModelConfig config, List<TensorRecipe> recipes, Importance importance) {
        return new MixModel(
                config.numHiddenLayers(),
                config.queriesPerKeyValueHead(),
                config.experts().map(ExpertShape::count).orElse(0),
                recipes.stream().noneMatch(recipe -> recipe.name().equals("output.weight")),
                importance.matrix().isPresent());
    }

    private static List<String> unmatched(GgufOptions options, List<TensorRecipe> recipes) {
        return options.types().overrides().stream()
                .map(TypePlan.TypeOverride::pattern)
                .filter(pattern -> recipes.stream().map(TensorRecipe::name).noneMatch(pattern.asPredicate()))
                .map(pattern -> "--tensor-type " + pattern + " matches no tensor; --dry-run lists their names")
                .toList();
    }

    /** What an importance matrix should know and does not. */
    private static List<String> unweighed(TypePlan types, Importance importance) {
        if (importance.matrix().isEmpty()) {
            return List.of();
        }
        List<String> warnings = new ArrayList<>();
        ImportanceMatrix matrix = importance.matrix().get();
        List<String> missing = types.tensors().stream()
                .filter(tensor -> tensor.type().isQuantized() && tensor.name().startsWith("blk."))
                .map(GgufLayout.Spec::name)
                .filter(name -> matrix.find(name).isEmpty())
                .toList();
        if (!missing.isEmpty()) {
            warnings.add("the importance matrix has nothing for " + missing.size() + " tensors, such as "
                    + missing.getFirst() + ", which are quantized without it");
        }
        if (!matrix.unseen().isEmpty()) {
            warnings.add("no token of the importance matrix came to " + String.join("; ", matrix.unseen())
                    + ", which are quantized as if all columns mattered alike");
        }
        return warnings;
    }

    /** One file, or as many as hold what one may not. */
    private static List<GgufPlan.File> files(
            GgufOptions options, Map<String, GgufValue> metadata, List<GgufLayout.Spec> tensors) {
        List<List<GgufLayout.Spec>> parts = parts(tensors, options.maxFileBytes());
        String name = fileName(options.output());
        if (parts.size() == 1) {
            return List.of(new GgufPlan.File(name, GgufLayout.of(metadata, tensors)));
        }
        String prefix = name.endsWith(SUFFIX) ? name.substring(0, name.length() - SUFFIX.length()) : name;
        List<GgufPlan.File> files = new ArrayList<>();
        for (int i = 0; i < parts.size(); i++) {
            Map<String, GgufValue> entries = new LinkedHashMap<>(i == 0 ? metadata : Map.of());
            entries.put("split.no", new GgufValue.Whole(GgufType.UINT16, i));
            entries.put("split.count", new GgufValue.Whole(GgufType.UINT16, parts.size()));
            entries.put("split.tensors.count", new GgufValue.Whole(GgufType.INT32, tensors.size()));
            files.add(new GgufPlan.File(
                    String.format(Locale.ROOT, "%s-%05d-of-%05d%s", prefix, i + 1, parts.size(), SUFFIX),
                    GgufLayout.of(entries, parts.get(i))));
        }
        return files;
    }

    private static String fileName(Path output) {
        Path name = output.toAbsolutePath().normalize().getFileName();
        if (name == null) {
            throw new UsageException("--out " + output + " is not a name for a file; give another");
        }
        return name.toString();
    }

    private static List<List<GgufLayout.Spec>> parts(List<GgufLayout.Spec> tensors, long most) {
        List<List<GgufLayout.Spec>> parts = new ArrayList<>();
        List<GgufLayout.Spec> part = new ArrayList<>();
        long bytes = 0;
        for (GgufLayout.Spec tensor : tensors) {
            if (!part.isEmpty() && bytes + tensor.byteSize() > most) {
                parts.add(part);
                part = new ArrayList<>();
                bytes = 0;
            }
            part.add(tensor);
            bytes += tensor.byteSize();
        }
        parts.add(part);
        if (parts.size() > 0xffff) {
            throw new UsageException("--split-max-size would make " + parts.size()
                    + " files, more than a set can have; give a larger one");
        }
        return parts;
    }
}
