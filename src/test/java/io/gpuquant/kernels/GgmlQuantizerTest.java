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
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Class A: float32 in a fixed order; the oracle is ggml, and the processor's quantizers, which are tested against it. */
class GgmlQuantizerTest {

    private static final int ODD_COLUMNS = 768;

    @Test
    void everyByteIsThatOfGgml() {
        int rows = GoldenBlocks.ROWS;
        assertThat(KernelRig.<List<String>>fastKernelsAndTwins(rig -> golden(rig, rows)))
                .isEqualTo(expected(rows));
    }

    /** So few rows that only a part of a block of threads has work. */
    @Test
    void bytesAreTheSameOnEveryMachine() {
        assertThat(KernelRig.<List<String>>kernelsAndTwins(rig -> golden(rig, 1)))
                .isEqualTo(expected(1));
    }

    /** What becomes of the first rows, for every type without importance and with it. */
    private static List<String> golden(KernelRig rig, int rows) {
        float[] weights = Arrays.copyOf(GoldenBlocks.weights(), rows * GoldenBlocks.COLUMNS);
        List<String> all = new ArrayList<>();
        for (GgmlType type : GoldenBlocks.types()) {
            all.add(text(type, false, quantize(rig, type, weights, rows, null)));
            all.add(text(type, true, quantize(rig, type, weights, rows, GoldenBlocks.importance())));
        }
        return all;
    }

    private static List<String> expected(int rows) {
        List<String> all = new ArrayList<>();
        for (GgmlType type : GoldenBlocks.types()) {
            int length = (int) type.bytes((long) rows * GoldenBlocks.COLUMNS);
            for (boolean important : new boolean[] {false, true}) {
                all.add(text(type, important, Arrays.copyOf(GoldenBlocks.blocks(type, important), length)));
            }
        }
        return all;
    }

    private static String text(GgmlType type, boolean important, byte[] blocks) {
        return type + (important ? " with importance: " : ": ") + HexFormat.of().formatHex(blocks);
    }

    /** A row of every kind, so that lanes of a warp go different ways. */
    @Test
    void oddWeightsAndImportancesAreThoseOfTheProcessor() {
        OddWeights.Kind[] kinds = OddWeights.Kind.values();
        float[] weights = new float[kinds.length * ODD_COLUMNS];
        for (OddWeights.Kind kind : kinds) {
            System.arraycopy(
                    OddWeights.weights(kind, ODD_COLUMNS), 0, weights, kind.ordinal() * ODD_COLUMNS, ODD_COLUMNS);
        }
        try (KernelRig rig = KernelRig.fast()) {
            for (GgmlType type : GoldenBlocks.types()) {
                for (OddWeights.Importance odd : OddWeights.Importance.values()) {
                    float[] importance = OddWeights.importance(odd, ODD_COLUMNS);
                    byte[] expected = onProcessor(type, weights, kinds.length, importance);
                    byte[] actual = quantize(rig, type, weights, kinds.length, importance);
                    for (OddWeights.Kind kind : kinds) {
                        assertThat(blocksOf(kind, type, actual))
                                .as(type + " of " + kind + " weights, " + odd + " importance")
                                .isEqualTo(blocksOf(kind, type, expected));
                    }
                }
            }
        }
    }

    private static List<String> blocksOf(OddWeights.Kind kind, GgmlType type, byte[] blocks) {
        int length = (int) type.bytes(ODD_COLUMNS);
        int start = kind.ordinal() * length;
        return OddWeights.blocksOfNumbers(type, Arrays.copyOfRange(blocks, start, start + length));
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
