package io.gpuquant.job;

import io.gpuquant.VerificationException;
import io.gpuquant.gguf.Dequantizer;
import io.gpuquant.gguf.FileType;
import io.gpuquant.gguf.GgmlType;
import io.gpuquant.gguf.GgufSet;
import io.gpuquant.gguf.GgufTensor;
import io.gpuquant.gguf.GgufValue;
import io.gpuquant.llamacpp.Hyperparameters;
import io.gpuquant.llamacpp.TensorMap;
import io.gpuquant.llamacpp.TensorRecipe;
import io.gpuquant.llamacpp.TensorRows;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Compares GGUF files with the checkpoint they were made from, a sample of rows of every tensor. */
final class GgufComparison {

    private static final int SAMPLED_ROWS = 32;

    private final GgufSet set;
    private final Checkpoint source;
    private double worstError;
    private String worstTensor = "";
    private int compared;

    GgufComparison(GgufSet set, Checkpoint source) {
        this.set = set;
        this.source = source;
    }

    /**
     * Compares.
     *
     * @throws VerificationException when they are not of the same model
     */
    Verification.Summary compare(int quantized) {
        ModelConfig config = ModelConfig.read(source.directory());
        List<TensorRecipe> recipes = TensorMap.of(config, source.tensors());
        compareMetadata(Hyperparameters.read(config, "", FileType.F16, recipes));
        for (TensorRecipe recipe : recipes) {
            compare(recipe);
        }
        return new Verification.Summary(set.tensors().size(), quantized, compared, worstError, worstTensor);
    }

    /** Entries that only one of them has are a matter of taste: most have defaults. */
    private void compareMetadata(Map<String, GgufValue> expected) {
        Path file = set.first().path();
        Map<String, GgufValue> found = set.first().header().metadata();
        expected.forEach((key, value) -> {
            GgufValue other = found.get(key);
            boolean isOfTheModel = !key.startsWith("general.") || key.equals("general.architecture");
            if (isOfTheModel && other != null && !other.equals(value)) {
                throw new VerificationException(file + ": the metadata entry " + key + " is " + other + ", but "
                        + source.directory() + " calls for " + value);
            }
        });
    }

    private void compare(TensorRecipe recipe) {
        GgufTensor tensor = set.find(recipe.name())
                .orElseThrow(() -> new VerificationException(set.first().path() + " lacks the tensor " + recipe.name()
                        + ", which " + source.directory() + " has"));
        Path file = set.fileOf(tensor).path();
        if (!tensor.extents().equals(recipe.extents())) {
            throw new VerificationException(file + ": " + tensor.name() + " has shape " + tensor.shape() + ", but "
                    + source.directory() + " calls for " + recipe.extents().reversed());
        }
        double error = error(recipe, tensor);
        double most = mostError(tensor.type());
        if (!(error <= most)) {
            throw new VerificationException(file + ": " + tensor.name() + " does not stand for the weights in "
                    + source.directory()
                    + String.format(Locale.ROOT, " (relative error %.2g, at most %.2g is expected of ", error, most)
                    + tensor.type() + ")");
        }
        compared++;
        if (error > worstError) {
            worstError = error;
            worstTensor = tensor.name();
        }
    }

    /** A few times what Gaussian weights cost; a matrix with its rows in the wrong place would have an error of two. */
    private static double mostError(GgmlType type) {
        return switch (type) {
            case F32, F16, BF16 -> 1e-4;
            case Q8_0, Q6_K -> 0.02;
            case Q5_0, Q5_1, Q5_K -> 0.05;
            case Q4_0, Q4_1, Q4_K, IQ4_NL, IQ4_XS -> 0.15;
            case Q3_K -> 0.4;
            case Q2_K -> 0.7;
        };
    }

    /** {@code |W - Ŵ|² / |W|²} over the sample. */
    private double error(TensorRecipe recipe, GgufTensor tensor) {
        TensorRows rows = new TensorRows(source, recipe);
        int step = Math.max(1, rows.rows() / SAMPLED_ROWS);
        long rowBytes = tensor.type().bytes(rows.columns());
        float[] found = new float[rows.columns()];
        double error = 0;
        double norm = 0;
        for (int matrix = 0; matrix < rows.matrices(); matrix++) {
            for (int row = 0; row < rows.rows(); row += step) {
                long at = ((long) matrix * rows.rows() + row) * rowBytes;
                Dequantizer.dequantize(tensor.type(), set.data(tensor).asSlice(at, rowBytes), found);
                try (Arena arena = Arena.ofConfined()) {
                    MemorySegment expected = rows.read(matrix, row, 1, arena);
                    for (int i = 0; i < found.length; i++) {
                        double weight = Elements.floatAt(expected, rows.dtype(), i);
                        error += (found[i] - weight) * (found[i] - weight);
                        norm += weight * weight;
                    }
                }
            }
        }
        return norm == 0 ? error : error / norm;
    }
}
