package io.gpuquant.job;

import io.gpuquant.InputException;
import io.gpuquant.gguf.GgufValue;
import io.gpuquant.gguf.ImportanceMatrix;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The importance matrix that a file is quantized with, if any.
 *
 * @param file where it was read
 */
record Importance(Optional<Path> file, Optional<ImportanceMatrix> matrix) {

    static final Importance NONE = new Importance(Optional.empty(), Optional.empty());

    /** Texts longer than this would be cut off by llama.cpp. */
    private static final int LONGEST_TEXT = 127;

    static Importance read(Optional<Path> file) {
        return new Importance(file, file.map(ImportanceMatrix::read));
    }

    /**
     * How much errors of each column of a tensor count.
     *
     * @param tensor its name in a GGUF file
     * @return those of each of its matrices, one after another; empty where the tensor was not observed
     * @throws InputException when the tensor has another shape
     */
    Optional<float[]> weights(String tensor, int columns, int matrices) {
        return matrix.flatMap(known -> known.find(tensor)).map(entry -> {
            float[] means = entry.means();
            if (means.length != columns * matrices) {
                throw new InputException(file.orElseThrow() + " has " + means.length + " numbers for " + tensor
                        + ", which has " + (matrices == 1 ? "" : matrices + " times ") + columns
                        + " columns; use an importance matrix of this model");
            }
            return means;
        });
    }

    /** What a file that was made with it says of it. */
    Map<String, GgufValue> metadata() {
        Map<String, GgufValue> entries = new LinkedHashMap<>();
        matrix.ifPresent(known -> {
            entries.put(
                    "quantize.imatrix.file",
                    text(file.orElseThrow().getFileName().toString()));
            List<String> datasets = known.origin().datasets();
            if (!datasets.isEmpty()) {
                entries.put("quantize.imatrix.dataset", text(datasets.getFirst()));
            }
            entries.put(
                    "quantize.imatrix.entries_count",
                    GgufValue.count(known.entries().size()));
            if (known.origin().chunks() > 0) {
                entries.put(
                        "quantize.imatrix.chunks_count",
                        GgufValue.count(known.origin().chunks()));
            }
        });
        return entries;
    }

    private static GgufValue text(String value) {
        return GgufValue.text(value.length() <= LONGEST_TEXT ? value : value.substring(0, LONGEST_TEXT));
    }
}
