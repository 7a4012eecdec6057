package io.gpuquant.gguf;

import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Rows of F32, F16 or BF16: each weight rounded to nearest even. */
final class PlainRows implements RowQuantizer {

    private final DType dtype;

    PlainRows(GgmlType type) {
        dtype = DType.valueOf(type.name());
    }

    @Override
    public void quantize(float[] row, float @Nullable [] importance, byte[] blocks) {
        MemorySegment target = MemorySegment.ofArray(blocks);
        for (int i = 0; i < row.length; i++) {
            Elements.setFloat(target, dtype, i, row[i]);
        }
    }
}
