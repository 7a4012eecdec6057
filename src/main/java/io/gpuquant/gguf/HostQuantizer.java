package io.gpuquant.gguf;

import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Matrices into blocks on the threads of the processor. The number of threads does not change a byte. */
public final class HostQuantizer {

    private final GgmlType type;
    private final int threads;

    public HostQuantizer(GgmlType type, int threads) {
        this.type = type;
        this.threads = threads;
    }

    /**
     * Quantizes a dense matrix, row by row.
     *
     * @param weights finite weights of F32, F16 or BF16, [rows, columns]
     * @param columns a multiple of the type's block size
     * @param importance for each column how much its errors count, see {@link RowQuantizer}
     * @param blocks gets the blocks of all rows
     */
    public void quantize(
            MemorySegment weights,
            DType dtype,
            int rows,
            int columns,
            float @Nullable [] importance,
            MemorySegment blocks) {
        long rowBytes = type.bytes(columns);
        if (weights.byteSize() != dtype.bytes((long) rows * columns)
                || blocks.byteSize() != rows * rowBytes
                || importance != null && importance.length != columns) {
            throw new IllegalArgumentException(rows + " x " + columns + " weights of " + dtype + " in "
                    + weights.byteSize() + " bytes do not become " + type + " in " + blocks.byteSize() + " bytes"
                    + (importance == null ? "" : " with the importance of " + importance.length + " columns"));
        }
        int parts = Math.clamp(rows, 1, threads);
        IntStream.range(0, parts).parallel().forEach(part -> {
            RowQuantizer quantizer = RowQuantizer.of(type);
            float[] row = new float[columns];
            byte[] packed = new byte[(int) rowBytes];
            for (int r = part; r < rows; r += parts) {
                for (int i = 0; i < columns; i++) {
                    row[i] = Elements.floatAt(weights, dtype, (long) r * columns + i);
                }
                quantizer.quantize(row, importance, packed);
                MemorySegment.copy(packed, 0, blocks, ValueLayout.JAVA_BYTE, r * rowBytes, packed.length);
            }
        });
    }
}
