package io.gpuquant.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.gpuquant.tensor.BFloat16;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class HostQuantizerTest {

    private static final int ROWS = GoldenBlocks.ROWS;
    private static final int COLUMNS = GoldenBlocks.COLUMNS;

    static List<GgmlType> types() {
        return GoldenBlocks.types();
    }

    @ParameterizedTest
    @MethodSource("types")
    void everyByteIsThatOfGgml(GgmlType type) {
        float[] weights = GoldenBlocks.weights();
        assertThat(quantize(type, weights, COLUMNS, null, 1)).isEqualTo(GoldenBlocks.blocks(type, false));
        assertThat(quantize(type, weights, COLUMNS, GoldenBlocks.importance(), 1))
                .isEqualTo(GoldenBlocks.blocks(type, true));
    }

    @ParameterizedTest
    @MethodSource("types")
    void threadsDoNotChangeABlock(GgmlType type) {
        assertThat(quantize(type, GoldenBlocks.weights(), COLUMNS, null, 5))
                .isEqualTo(GoldenBlocks.blocks(type, false));
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F16", "BF16"})
    void halvesAreWidenedFirst(DType dtype) {
        short[] halves = new short[COLUMNS];
        float[] widened = new float[COLUMNS];
        float[] weights = GoldenBlocks.weights();
        for (int i = 0; i < COLUMNS; i++) {
            halves[i] = dtype == DType.F16 ? Float.floatToFloat16(weights[i]) : BFloat16.fromFloat(weights[i]);
            widened[i] = dtype == DType.F16 ? Float.float16ToFloat(halves[i]) : BFloat16.toFloat(halves[i]);
        }
        byte[] blocks = new byte[(int) GgmlType.Q4_K.bytes(COLUMNS)];
        new HostQuantizer(GgmlType.Q4_K, 1)
                .quantize(MemorySegment.ofArray(halves), dtype, 1, COLUMNS, null, MemorySegment.ofArray(blocks));
        assertThat(blocks).isEqualTo(quantize(GgmlType.Q4_K, widened, COLUMNS, null, 1));
    }

    @ParameterizedTest
    @EnumSource(
            value = GgmlType.class,
            names = {"F32", "F16", "BF16"})
    void typesWithoutScalesAreRounded(GgmlType type) {
        float[] weights = {1, -2.5f, 0.1f, 65504, 1e-7f, 0};
        byte[] blocks = quantize(type, weights, 3, null, 1);
        float[] back = new float[weights.length];
        Dequantizer.dequantize(type, MemorySegment.ofArray(blocks), back);
        for (int i = 0; i < weights.length; i++) {
            float expected = switch (type) {
                case F32 -> weights[i];
                case F16 -> Float.float16ToFloat(Float.floatToFloat16(weights[i]));
                default -> BFloat16.toFloat(BFloat16.fromFloat(weights[i]));
            };
            assertThat(back[i]).isEqualTo(expected);
        }
    }

    @Test
    void sizesThatDoNotFitAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new HostQuantizer(GgmlType.Q8_0, 1)
                        .quantize(
                                MemorySegment.ofArray(new float[64]),
                                DType.F32,
                                1,
                                64,
                                new float[32],
                                MemorySegment.ofArray(new byte[68])))
                .withMessageContaining("importance of 32 columns");
    }

    private static byte[] quantize(
            GgmlType type, float[] weights, int columns, float @Nullable [] importance, int threads) {
        byte[] blocks = new byte[(int) type.bytes(weights.length)];
        new HostQuantizer(type, threads)
                .quantize(
                        MemorySegment.ofArray(weights),
                        DType.F32,
                        weights.length / columns,
                        columns,
                        importance,
                        MemorySegment.ofArray(blocks));
        return blocks;
    }
}
