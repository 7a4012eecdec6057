package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.offset;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.gguf.Dequantizer;
import io.gpuquant.gguf.GgmlType;
import io.gpuquant.gguf.GoldenBlocks;
import io.gpuquant.gguf.HostQuantizer;
import io.gpuquant.gguf.OddWeights;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Class A: float32 in a fixed order; the oracle is ggml, and the processor's quantizers, which are tested against it. */
class GgmlQuantizerTest {

    static List<GgmlType> types() {
        return GoldenBlocks.types();
    }

    @ParameterizedTest
    @MethodSource("types")
    void everyByteIsThatOfGgml(GgmlType type) {
        try (KernelRig rig = KernelRig.checked()) {
            assertThat(quantize(rig, type, GoldenBlocks.weights(), GoldenBlocks.ROWS, null))
                    .isEqualTo(GoldenBlocks.blocks(type, false));
            assertThat(quantize(rig, type, GoldenBlocks.weights(), GoldenBlocks.ROWS, GoldenBlocks.importance()))
                    .isEqualTo(GoldenBlocks.blocks(type, true));
        }
    }

    @ParameterizedTest
    @MethodSource("types")
    void twinsAndEveryMachineGiveTheSame(GgmlType type) {
        float[] weights = Arrays.copyOf(GoldenBlocks.weights(), 256);
        float[] importance = Arrays.copyOf(GoldenBlocks.importance(), 256);
        for (float[] columns : Arrays.asList(null, importance)) {
            byte[] blocks = KernelRig.kernelsAndTwins(rig -> quantize(rig, type, weights, 1, columns));
            assertThat(blocks).isEqualTo(onProcessor(type, weights, 1, columns));
        }
    }

    @ParameterizedTest
    @MethodSource("types")
    void oddWeightsAndImportancesAreThoseOfTheProcessor(GgmlType type) {
        try (KernelRig rig = KernelRig.fast()) {
            for (OddWeights.Kind kind : OddWeights.Kind.values()) {
                for (OddWeights.Importance odd : OddWeights.Importance.values()) {
                    float[] weights = OddWeights.weights(kind, 3 * 256);
                    float[] importance = OddWeights.importance(odd, 256);
                    byte[] expected = onProcessor(type, weights, 3, importance);
                    byte[] actual = quantize(rig, type, weights, 3, importance);
                    assertThat(OddWeights.blocksOfNumbers(type, actual))
                            .as(kind + " weights, " + odd + " importance")
                            .isEqualTo(OddWeights.blocksOfNumbers(type, expected));
                }
            }
        }
    }

    @Test
    void halvesAreWidenedFirst() {
        float[] weights = OddWeights.weights(OddWeights.Kind.HEAVY, 512);
        try (KernelRig rig = KernelRig.fast()) {
            DeviceMatrix halves = rig.empty(DType.BF16, 2, 256);
            new ConvertKernels(rig.stream()).convert(rig.floats(2, 256, weights), halves);
            byte[] blocks = quantize(rig, GgmlType.Q8_0, halves, null);
            float[] widened = rig.valuesOf(halves);
            assertThat(blocks).isEqualTo(onProcessor(GgmlType.Q8_0, widened, 2, null));
            float[] back = new float[widened.length];
            Dequantizer.dequantize(GgmlType.Q8_0, MemorySegment.ofArray(blocks), back);
            for (int i = 0; i < back.length; i++) {
                assertThat(back[i]).isCloseTo(widened[i], offset(0.02f));
            }
        }
    }

    @Test
    void rowsThatAreNotWholeBlocksAreRefused() {
        try (KernelRig rig = KernelRig.fast();
                GgmlQuantizer quantizer = new GgmlQuantizer(rig.device(), GgmlType.Q4_K, 1024)) {
            DeviceMatrix blocks = rig.empty(DType.U8, 4, 144);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> quantizer.quantize(rig.empty(DType.F32, 4, 128), null, blocks));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> quantizer.quantize(rig.empty(DType.F32, 5, 256), null, blocks));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> quantizer.quantize(rig.empty(DType.F32, 3, 256), null, blocks));
        }
    }

    private static byte[] quantize(
            KernelRig rig, GgmlType type, float[] weights, int rows, float @Nullable [] importance) {
        return quantize(rig, type, rig.floats(rows, weights.length / rows, weights), importance);
    }

    private static byte[] quantize(KernelRig rig, GgmlType type, DeviceMatrix weights, float @Nullable [] importance) {
        DeviceMatrix columns = importance == null ? null : rig.floats(1, importance.length, importance);
        DeviceMatrix blocks = rig.empty(DType.U8, weights.rows(), (int) type.bytes(weights.columns()));
        try (GgmlQuantizer quantizer = rig.ggml(type, (int) weights.elementCount())) {
            quantizer.quantize(weights, columns, blocks);
            return rig.bytesOf(blocks);
        }
    }

    private static byte[] onProcessor(GgmlType type, float[] weights, int rows, float @Nullable [] importance) {
        byte[] blocks = new byte[(int) type.bytes(weights.length)];
        new HostQuantizer(type, 1)
                .quantize(
                        MemorySegment.ofArray(weights),
                        DType.F32,
                        rows,
                        weights.length / rows,
                        importance,
                        MemorySegment.ofArray(blocks));
        return blocks;
    }
}
