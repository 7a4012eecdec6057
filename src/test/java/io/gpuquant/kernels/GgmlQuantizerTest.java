package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.gpuquant.device.DeviceMatrix;
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

    private static final int FEW_ROWS = 2;
    private static final int ODD_COLUMNS = 768;

    static List<GgmlType> types() {
        return GoldenBlocks.types();
    }

    /** All rows on the machine of the product, and those that fill a part of a block of threads on every one. */
    @ParameterizedTest
    @MethodSource("types")
    void everyByteIsThatOfGgml(GgmlType type) {
        float[] weights = GoldenBlocks.weights();
        float[] few = Arrays.copyOf(weights, FEW_ROWS * GoldenBlocks.COLUMNS);
        for (boolean important : new boolean[] {false, true}) {
            float[] importance = important ? GoldenBlocks.importance() : null;
            byte[] expected = GoldenBlocks.blocks(type, important);
            byte[] all = KernelRig.fastKernelsAndTwins(
                    rig -> quantize(rig, type, weights, GoldenBlocks.ROWS, importance));
            assertThat(all).isEqualTo(expected);
            byte[] blocks = KernelRig.kernelsAndTwins(rig -> quantize(rig, type, few, FEW_ROWS, importance));
            assertThat(blocks).isEqualTo(Arrays.copyOf(expected, blocks.length));
        }
    }

    /** A row of every kind, so that lanes of a warp go different ways. */
    @ParameterizedTest
    @MethodSource("types")
    void oddWeightsAndImportancesAreThoseOfTheProcessor(GgmlType type) {
        OddWeights.Kind[] kinds = OddWeights.Kind.values();
        float[] weights = new float[kinds.length * ODD_COLUMNS];
        for (OddWeights.Kind kind : kinds) {
            System.arraycopy(
                    OddWeights.weights(kind, ODD_COLUMNS), 0, weights, kind.ordinal() * ODD_COLUMNS, ODD_COLUMNS);
        }
        try (KernelRig rig = KernelRig.fast()) {
            for (OddWeights.Importance odd : OddWeights.Importance.values()) {
                float[] importance = OddWeights.importance(odd, ODD_COLUMNS);
                List<String> expected = OddWeights.blocksOfNumbers(
                        type, onProcessor(type, weights, kinds.length, importance));
                List<String> actual = OddWeights.blocksOfNumbers(
                        type, quantize(rig, type, weights, kinds.length, importance));
                assertThat(actual).hasSameSizeAs(expected);
                int perKind = expected.size() / kinds.length;
                for (int i = 0; i < expected.size(); i++) {
                    assertThat(actual.get(i))
                            .as(kinds[i / perKind] + " weights, " + odd + " importance")
                            .isEqualTo(expected.get(i));
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
            byte[] blocks = quantize(rig, GgmlType.Q4_K, halves, null);
            assertThat(blocks).isEqualTo(onProcessor(GgmlType.Q4_K, rig.valuesOf(halves), 2, null));
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

    private static byte[] quantize(
            KernelRig rig, GgmlType type, DeviceMatrix weights, float @Nullable [] importance) {
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
