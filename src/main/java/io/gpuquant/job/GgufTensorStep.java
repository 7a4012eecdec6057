package io.gpuquant.job;

import io.gpuquant.InputException;
import io.gpuquant.gguf.BlockScales;
import io.gpuquant.gguf.GgmlType;
import io.gpuquant.llamacpp.TensorRecipe;
import io.gpuquant.llamacpp.TensorRows;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.NonFinite;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/** Makes the tensors of a GGUF file, slab by slab, so that memory does not depend on their size. */
final class GgufTensorStep {

    private static final double LARGEST_HALF = 65504;

    private final Checkpoint checkpoint;
    private final Importance importance;
    private final BlockQuantizer quantizer;

    GgufTensorStep(Checkpoint checkpoint, Importance importance, BlockQuantizer quantizer) {
        this.checkpoint = checkpoint;
        this.importance = importance;
        this.quantizer = quantizer;
    }

    /** Where the bytes of a tensor go, from its start to its end. */
    @FunctionalInterface
    interface Target {
        void write(long offset, MemorySegment bytes);
    }

    /**
     * Makes a tensor.
     *
     * @return the CRC-32C of its bytes
     * @throws InputException when a weight is a NaN or an infinity, or would become one
     */
    long make(TensorRecipe recipe, GgmlType type, Target target) {
        TensorRows rows = new TensorRows(checkpoint, recipe);
        int columns = rows.columns();
        // Without blocks nothing is searched for that could be weighed.
        Optional<float[]> weighed =
                type.isQuantized() ? importance.weights(recipe.name(), columns, rows.matrices()) : Optional.empty();
        int slab = Math.clamp(quantizer.capacity(type, columns) / columns, 1, rows.rows());
        long written = 0;
        CRC32C checksum = new CRC32C();
        for (int matrix = 0; matrix < rows.matrices(); matrix++) {
            int from = matrix * columns;
            float[] ofMatrix = weighed.map(all -> Arrays.copyOfRange(all, from, from + columns))
                    .orElse(null);
            for (int row = 0; row < rows.rows(); row += slab) {
                int count = Math.min(slab, rows.rows() - row);
                try (Arena arena = Arena.ofShared()) {
                    MemorySegment blocks = slab(rows, new Piece(matrix, row, count), type, ofMatrix, arena);
                    target.write(written, blocks);
                    checksum.update(blocks.asByteBuffer());
                    written += blocks.byteSize();
                }
            }
        }
        return checksum.getValue();
    }

    private record Piece(int matrix, int row, int count) {}

    private MemorySegment slab(TensorRows rows, Piece piece, GgmlType type, float @Nullable [] ofMatrix, Arena arena) {
        MemorySegment weights = rows.read(piece.matrix(), piece.row(), piece.count(), arena);
        long first = (long) piece.row() * rows.columns();
        OptionalLong bad = NonFinite.first(weights, rows.dtype());
        if (bad.isPresent()) {
            throw new InputException(where(rows, piece) + " holds a NaN or an infinity at element "
                    + (first + bad.getAsLong()) + "; the checkpoint is damaged, get it again");
        }
        MemorySegment blocks = arena.allocate(type.bytes((long) piece.count() * rows.columns()), 64);
        quantizer.quantize(type, weights, rows.dtype(), piece.count(), rows.columns(), ofMatrix, blocks);
        OptionalLong over = BlockScales.firstNonFinite(type, blocks);
        if (over.isPresent()) {
            throw tooLarge(rows, piece, type, weights, over.getAsLong() * type.blockSize());
        }
        return blocks;
    }

    private InputException tooLarge(TensorRows rows, Piece piece, GgmlType type, MemorySegment weights, long element) {
        double largest = 0;
        for (long i = element; i < element + type.blockSize(); i++) {
            largest = Math.max(largest, Math.abs(Elements.floatAt(weights, rows.dtype(), i)));
        }
        return new InputException(where(rows, piece) + " holds " + largest + " at or behind element "
                + ((long) piece.row() * rows.columns() + element) + ", too much for " + type
                + ", whose numbers end at " + (type.isQuantized() ? "scales of " : "") + LARGEST_HALF
                + "; use --type BF16 or F32, or --tensor-type NAME=BF16 for this tensor");
    }

    private String where(TensorRows rows, Piece piece) {
        String source = rows.source(piece.matrix());
        return checkpoint.contains(source) ? checkpoint.fileOf(source) + ": " + source : source;
    }
}
