package io.gpuquant.job;

import io.gpuquant.gguf.FileType;
import io.gpuquant.gguf.TypePlan;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What the user asked for.
 *
 * @param model the folder of the checkpoint
 * @param output the file to make; of a split set the name without its numbers
 * @param name what the model is called
 * @param overwrite whether a file of that name may be replaced
 * @param types which tensor becomes what
 * @param preTokenizer llama.cpp's name of the pre-tokenizer, where it is not to be recognised
 * @param importance the file of an importance matrix
 * @param maxFileBytes tensor bytes that a file may have before another is begun
 * @param kernels whether kernels quantize even on the processor
 */
public record GgufOptions(
        Path model,
        String name,
        Path output,
        boolean overwrite,
        TypePlan.Request types,
        Optional<String> preTokenizer,
        Optional<Path> importance,
        long maxFileBytes,
        boolean kernels) {

    /** The mix of types. */
    public FileType mix() {
        return types.mix();
    }
}
