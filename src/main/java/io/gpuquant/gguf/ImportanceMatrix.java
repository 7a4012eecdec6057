package io.gpuquant.gguf;

import io.gpuquant.InputException;
import io.gpuquant.file.DurableFile;
import io.gpuquant.file.Quoted;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * How much each input feature of a model's linears matters: the sum of its squares over the tokens of a text. Quantizers weigh
 * the errors of weights by it.
 *
 * @see <a href="https://github.com/ggml-org/llama.cpp/tree/master/tools/imatrix">llama.cpp, imatrix</a>
 */
public final class ImportanceMatrix {

    private final Map<String, Entry> entries = new TreeMap<>();
    private final Origin origin;

    /**
     * Where the numbers come from.
     *
     * @param datasets names of the texts
     * @param chunks pieces of text that were run through the model
     * @param chunkSize tokens of a piece
     */
    public record Origin(List<String> datasets, long chunks, long chunkSize) {

        public Origin {
            datasets = List.copyOf(datasets);
        }
    }

    /**
     * What is known of one weight, or of those of all experts that are stacked in it.
     *
     * @param name of the weight in a GGUF file
     * @param columns input features
     */
    public static final class Entry {

        private final String name;
        private final int columns;
        private final float[] sums;
        private final float[] counts;

        /**
         * @param sums sums of squares, {@code [matrices, columns]}
         * @param counts tokens that each matrix has seen
         */
        public Entry(String name, int columns, float[] sums, float[] counts) {
            if (columns < 1 || sums.length != columns * counts.length) {
                throw new IllegalArgumentException(
                        name + ": " + sums.length + " sums of " + counts.length + " matrices of " + columns);
            }
            this.name = name;
            this.columns = columns;
            this.sums = sums.clone();
            this.counts = counts.clone();
        }

        /** The weight's name in a GGUF file. */
        public String name() {
            return name;
        }

        /** Input features. */
        public int columns() {
            return columns;
        }

        /** Experts, or 1. */
        public int matrices() {
            return counts.length;
        }

        /** Sums of squares, {@code [matrices, columns]}. */
        public float[] sums() {
            return sums.clone();
        }

        /** Tokens that each matrix has seen. */
        public float[] counts() {
            return counts.clone();
        }

        /**
         * What both have seen together.
         *
         * @param other of the same weight, and of other tokens
         */
        public Entry plus(Entry other) {
            if (!other.name.equals(name) || other.sums.length != sums.length || other.columns != columns) {
                throw new IllegalArgumentException(name + " and " + other.name + " are not the same weight");
            }
            return new Entry(name, columns, sumOf(sums, other.sums), sumOf(counts, other.counts));
        }

        private static float[] sumOf(float[] a, float[] b) {
            float[] sum = new float[a.length];
            for (int i = 0; i < sum.length; i++) {
                sum[i] = a[i] + b[i];
            }
            return sum;
        }

        /** Mean squares, {@code [matrices, columns]}; ones for an expert that no token came to. */
        public float[] means() {
            float[] means = new float[sums.length];
            for (int matrix = 0; matrix < counts.length; matrix++) {
                for (int i = matrix * columns; i < (matrix + 1) * columns; i++) {
                    means[i] = counts[matrix] > 0 ? sums[i] / counts[matrix] : 1;
                }
            }
            return means;
        }
    }

    /** A matrix of these entries. */
    public ImportanceMatrix(Origin origin, Collection<Entry> entries) {
        this.origin = origin;
        entries.forEach(entry -> this.entries.put(entry.name(), entry));
    }

    /**
     * Reads a file in llama.cpp's format, or in the one it had before.
     *
     * @throws InputException when it is in neither, or holds something that is not a finite number
     */
    public static ImportanceMatrix read(Path file) {
        ImportanceMatrix matrix =
                ImportanceFile.isGguf(file) ? ImportanceFile.read(file) : LegacyImportanceFile.read(file);
        for (Entry entry : matrix.entries.values()) {
            for (int i = 0; i < entry.sums.length; i++) {
                if (!Float.isFinite(entry.sums[i]) || entry.sums[i] < 0) {
                    throw new InputException(file + ": the importance of feature " + i % entry.columns + " of "
                            + Quoted.text(entry.name) + " is " + entry.sums[i] + "; make the file again");
                }
            }
        }
        return matrix;
    }

    /** Where the numbers come from. */
    public Origin origin() {
        return origin;
    }

    /** All entries, by name. */
    public List<Entry> entries() {
        return List.copyOf(entries.values());
    }

    /** What is known of a weight. */
    public Optional<Entry> find(String name) {
        return Optional.ofNullable(entries.get(name));
    }

    /**
     * Writes a file in llama.cpp's format, so that a reader meets all of it or what was there before.
     *
     * @throws io.gpuquant.ResourceException when the disk is full or the file cannot be written
     */
    public void write(Path file) {
        DurableFile.replace(file, ImportanceFile.bytes(this));
    }

    /** Matrices that saw no token, as {@code name} or {@code name, expert i}. */
    public List<String> unseen() {
        List<String> unseen = new ArrayList<>();
        for (Entry entry : entries.values()) {
            for (int matrix = 0; matrix < entry.matrices(); matrix++) {
                if (entry.counts[matrix] == 0) {
                    unseen.add(entry.matrices() == 1 ? entry.name : entry.name + ", expert " + matrix);
                }
            }
        }
        return unseen;
    }

    /** Whether two matrices have the same entries with the same numbers. */
    boolean hasNumbersOf(ImportanceMatrix other) {
        return entries.keySet().equals(other.entries.keySet())
                && entries.values().stream().allMatch(entry -> {
                    Entry same = other.entries.get(entry.name);
                    return same != null
                            && Arrays.equals(entry.sums, same.sums)
                            && Arrays.equals(entry.counts, same.counts);
                });
    }
}
