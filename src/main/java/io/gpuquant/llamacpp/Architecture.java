package io.gpuquant.llamacpp;

import io.gpuquant.InputException;
import io.gpuquant.model.ModelConfig;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/** A kind of model as llama.cpp distinguishes them; some that transformers tells apart are one here. */
enum Architecture {
    LLAMA("llama", List.of("llama", "mistral", "mixtral")),
    QWEN2("qwen2", List.of("qwen2")),
    QWEN3("qwen3", List.of("qwen3")),
    QWEN3_MOE("qwen3moe", List.of("qwen3_moe")),
    GEMMA("gemma", List.of("gemma")),
    GEMMA2("gemma2", List.of("gemma2")),
    GEMMA3("gemma3", List.of("gemma3_text")),
    PHI3("phi3", List.of("phi3"));

    private final String id;
    private final List<String> modelTypes;

    Architecture(String id, List<String> modelTypes) {
        this.id = id;
        this.modelTypes = modelTypes;
    }

    /** The architecture of a model. */
    static Architecture of(ModelConfig config) {
        String type = config.family().modelType();
        return Arrays.stream(values())
                .filter(architecture -> architecture.modelTypes.contains(type))
                .findFirst()
                .orElseThrow(() -> new InputException("model_type " + type
                        + " cannot be written as GGUF; llama.cpp's names are known here for "
                        + Arrays.stream(values())
                                .flatMap(architecture -> architecture.modelTypes.stream())
                                .collect(Collectors.joining(", "))));
    }

    /** The value of {@code general.architecture}, and what its keys begin with. */
    String id() {
        return id;
    }

    /** Whether heads are rotated by pairs of neighbours, so that rows of queries and keys change places. */
    boolean permutesHeads() {
        return this == LLAMA;
    }

    /** Whether rows of the embedding behind the vocabulary are left out. */
    boolean cutsEmbedding() {
        return this == GEMMA3;
    }

    /** Whether norms are stored as one more than the checkpoint's weights. */
    boolean addsOneToNorms() {
        return this == GEMMA || this == GEMMA2 || this == GEMMA3;
    }

    /** Whether there are norms behind the attention and the MLP too. */
    boolean hasPostNorms() {
        return this == GEMMA2 || this == GEMMA3;
    }
}
