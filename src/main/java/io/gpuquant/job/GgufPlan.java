package io.gpuquant.job;

import io.gpuquant.gguf.GgmlType;
import io.gpuquant.gguf.GgufLayout;
import io.gpuquant.gguf.TypePlan;
import io.gpuquant.llamacpp.TensorRecipe;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Everything that a GGUF file will be, decided before any work.
 *
 * @param recipes what each tensor is made of, in the order of the files
 * @param types what each becomes, in the same order
 * @param files one, or the parts of a split set
 * @param warnings what the user should know, a sentence each
 * @param sourceBytes bytes of the checkpoint's tensors
 */
public record GgufPlan(
        GgufOptions options,
        List<TensorRecipe> recipes,
        TypePlan types,
        List<File> files,
        List<String> warnings,
        long sourceBytes) {

    /** A file and what will be in it. */
    public record File(String name, GgufLayout layout) {}

    /**
     * Tensors whose rows do not fill the blocks of the type that was wanted.
     *
     * @param pattern their name, with layer numbers replaced by a star
     * @param cost bits that a weight of the whole file takes more on average because of them
     */
    public record Fallback(String pattern, int count, long rowLength, GgmlType wanted, GgmlType taken, double cost) {

        /** The same as a sentence. */
        public String sentence() {
            return String.format(
                    Locale.ROOT,
                    "%s (%d): rows of %d weights do not fill blocks of %d, so %s instead of %s, %+.3f bits per weight",
                    pattern,
                    count,
                    rowLength,
                    wanted.blockSize(),
                    taken,
                    wanted,
                    cost);
        }
    }

    public GgufPlan {
        recipes = List.copyOf(recipes);
        files = List.copyOf(files);
        warnings = List.copyOf(warnings);
    }

    /** Bytes of all files. */
    public long bytes() {
        return files.stream().mapToLong(file -> file.layout().fileBytes()).sum();
    }

    /** Where another type had to be taken, tensors of all layers together. */
    public List<Fallback> fallbacks() {
        double all = types.tensors().stream().mapToDouble(GgufPlan::weights).sum();
        Map<String, Fallback> byPattern = new LinkedHashMap<>();
        for (TypePlan.Choice choice : types.choices()) {
            if (choice.isFallback()) {
                GgufLayout.Spec tensor = choice.tensor();
                double more = tensor.type().bitsPerWeight() - choice.wanted().bitsPerWeight();
                String pattern = tensor.name().replaceFirst("^blk\\.\\d+\\.", "blk.*.");
                Fallback one = new Fallback(
                        pattern,
                        1,
                        tensor.extents().getFirst(),
                        choice.wanted(),
                        tensor.type(),
                        more * weights(tensor) / all);
                byPattern.merge(pattern + choice.wanted(), one, GgufPlan::together);
            }
        }
        return List.copyOf(byPattern.values());
    }

    private static Fallback together(Fallback a, Fallback b) {
        return new Fallback(a.pattern(), a.count() + 1, a.rowLength(), a.wanted(), a.taken(), a.cost() + b.cost());
    }

    private static double weights(GgufLayout.Spec tensor) {
        return tensor.extents().stream().mapToDouble(extent -> extent).reduce(1, (a, b) -> a * b);
    }
}
