package io.gpuquant.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class BlockScalesTest {

    /** Where numbers are, the decoders know too: a block with an infinite scale stands for weights that are not finite. */
    @ParameterizedTest
    @EnumSource(GgmlType.class)
    void findsWhatMakesWeightsInfinite(GgmlType type) {
        int blocks = 5;
        int weights = blocks * type.blockSize();
        MemorySegment values = MemorySegment.ofArray(new byte[weights * 4]);
        for (int i = 0; i < weights; i++) {
            Elements.setFloat(values, DType.F32, i, (float) Math.sin(i) + 0.25f);
        }
        byte[] bytes = new byte[blocks * type.blockBytes()];
        new HostQuantizer(type, 1).quantize(values, DType.F32, 1, weights, null, MemorySegment.ofArray(bytes));
        assertThat(BlockScales.firstNonFinite(type, MemorySegment.ofArray(bytes)))
                .isEmpty();
        int found = 0;
        for (int at = 0; at + 1 < type.blockBytes(); at += 2) {
            byte[] damaged = bytes.clone();
            MemorySegment segment = MemorySegment.ofArray(damaged);
            segment.set(Elements.SHORT, 3L * type.blockBytes() + at, (short) 0x7c00);
            if (type == GgmlType.F32 || type == GgmlType.BF16) {
                segment.set(Elements.SHORT, 3L * type.blockBytes() + at, (short) 0x7f80);
            }
            float[] decoded = new float[weights];
            Dequantizer.dequantize(type, segment, decoded);
            boolean finite = true;
            for (float value : decoded) {
                finite &= Float.isFinite(value);
            }
            if (finite) {
                assertThat(BlockScales.firstNonFinite(type, segment)).isEmpty();
            } else {
                assertThat(BlockScales.firstNonFinite(type, segment)).hasValue(3);
                found++;
            }
        }
        boolean hasMinimum = type == GgmlType.Q4_1
                || type == GgmlType.Q5_1
                || type == GgmlType.Q2_K
                || type == GgmlType.Q4_K
                || type == GgmlType.Q5_K;
        assertThat(found).isEqualTo(hasMinimum ? 2 : 1);
    }
}
