package io.gpuquant.gguf;

import io.gpuquant.tensor.BFloat16;
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
     * @param importance for each column how much its errors count, the mean square of its input; non-negative.
     *     Null where none is known; Q8_0 and types without scales ignore it
     * @param blocks gets the blocks of all rows
     */
    public void quantize(
            MemorySegment weights,
            DType dtype,
            int rows,
            int columns,
            float @Nullable [] importance,
            MemorySegment blocks) {
        if (!dtype.isComputeType()) {
            throw new IllegalArgumentException(dtype + " is not a type of weights");
        }
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
            short[] halves = new short[columns];
            byte[] packed = new byte[(int) rowBytes];
            for (int r = part; r < rows; r += parts) {
                load(weights, dtype, r, row, halves);
                quantizer.quantize(row, importance, packed);
                MemorySegment.copy(packed, 0, blocks, ValueLayout.JAVA_BYTE, r * rowBytes, packed.length);
            }
        });
    }

    private static void load(MemorySegment weights, DType dtype, int index, float[] row, short[] halves) {
        long at = dtype.bytes((long) index * row.length);
        if (dtype == DType.F32) {
            MemorySegment.copy(weights, Elements.FLOAT, at, row, 0, row.length);
            return;
        }
        MemorySegment.copy(weights, Elements.SHORT, at, halves, 0, row.length);
        if (dtype == DType.F16) {
            for (int i = 0; i < row.length; i++) {
                row[i] = Float.float16ToFloat(halves[i]);
            }
        } else {
            for (int i = 0; i < row.length; i++) {
                row[i] = BFloat16.toFloat(halves[i]);
            }
        }
    }
}
