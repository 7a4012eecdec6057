package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.kernels.QuantizationGrid.Search;
import io.gpuquant.ptx.LaunchStatistics;
import io.gpuquant.tensor.DType;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Kernels that most time is spent in touch memory as well as their headers say: how many sectors of global memory for the fewest
 * that hold the same bytes, and how many passes over the banks of shared memory for the fewest. Counted on aligned shapes.
 */
final class AccessPatternsTest {

    private static final QuantizationGrid GRID = new QuantizationGrid(4, true, 0, Search.MIN_MAX);

    private static final Pattern CLAIM = Pattern.compile(
            "// access\\s+([0-9.]+) times the fewest sectors(?:, ([0-9.]+) times the fewest passes over shared memory)?\\b");

    private record Case(String file, String kernel, Consumer<AccessLab> launch) {

        @Override
        public String toString() {
            return kernel;
        }
    }

    static List<Case> cases() {
        return List.of(
                new Case("gemm_half", "gemm_f16", lab -> product(lab, DType.F16, ProductTile.MEDIUM, 128)),
                new Case("gemm_half_64x64", "gemm_f16_64x64", lab -> product(lab, DType.F16, ProductTile.SMALL, 64)),
                new Case(
                        "gemm_half_128x256",
                        "gemm_f16_128x256",
                        lab -> product(lab, DType.F16, ProductTile.LARGE, 256)),
                new Case("gemm", "gemm_f32", lab -> product(lab, DType.F32, ProductTile.MEDIUM, 128)),
                new Case("gram", "gram_f32", lab -> gram(lab, DType.F32)),
                new Case("gram", "gram_f16", lab -> gram(lab, DType.F16)),
                new Case("gptq", "gptq_block", lab -> block(lab, GptqShape.EIGHT_LANES_PER_ROW)),
                new Case("gptq", "gptq_block_rows", lab -> block(lab, GptqShape.THREAD_PER_ROW)),
                new Case(
                        "hessian",
                        "symmetrize",
                        lab -> new HessianKernels(lab).symmetrize(lab.matrix(DType.F32, 128, 128))),
                new Case(
                        "hessian",
                        "hessian_prepare",
                        lab -> new HessianKernels(lab)
                                .prepare(
                                        lab.matrix(DType.F32, 128, 128),
                                        lab.integers(mixed(128)),
                                        1,
                                        lab.matrix(DType.F32, 128, 128))),
                new Case(
                        "hessian",
                        "cholesky_reversed_block",
                        lab -> new HessianKernels(lab)
                                .factorDiagonal(
                                        lab.matrix(DType.F32, 128, 128),
                                        lab.matrix(DType.F32, 128, 128),
                                        lab.zeros(1),
                                        0)),
                new Case("attention_64", "attention_f16_64", lab -> attention(lab, 64)),
                new Case("attention_96", "attention_f16_96", lab -> attention(lab, 96)),
                new Case("attention_128", "attention_f16_128", lab -> attention(lab, 128)),
                new Case("attention_256", "attention_f16_256", lab -> attention(lab, 256)),
                new Case(
                        "norm",
                        "rms_norm",
                        lab -> new NormKernels(lab)
                                .rmsNorm(
                                        lab.matrix(DType.F32, 8, 512),
                                        lab.matrix(DType.BF16, 1, 512),
                                        1e-5f,
                                        lab.matrix(DType.BF16, 8, 512))),
                new Case(
                        "softmax",
                        "softmax_causal",
                        lab -> new SoftmaxKernels(lab)
                                .causal(lab.matrix(DType.F32, 512, 512), 1, lab.matrix(DType.BF16, 512, 512))),
                new Case(
                        "activation",
                        "swiglu",
                        lab -> new ActivationKernels(lab)
                                .swiglu(
                                        lab.matrix(DType.F32, 8, 512),
                                        lab.matrix(DType.F32, 8, 512),
                                        lab.matrix(DType.BF16, 8, 512))),
                new Case(
                        "pack",
                        "pack_weights",
                        lab -> new PackKernels(lab)
                                .packWeights(
                                        lab.matrix(DType.U8, 256, 128),
                                        lab.ascending(128),
                                        4,
                                        lab.matrix(DType.I32, 16, 256))));
    }

    /** A weight stored [out, in] from the right, as in every linear. */
    private static void product(AccessLab lab, DType dtype, ProductTile tile, int n) {
        DeviceMatrix x = lab.matrix(dtype, 128, 64);
        DeviceMatrix w = lab.matrix(dtype, n, 64);
        new PtxBlas(tile).gemm(lab, Gemm.ofTransposedB(x, w, lab.matrix(DType.F32, 128, n)));
    }

    private static void gram(AccessLab lab, DType dtype) {
        new PtxBlas().addGram(lab, lab.matrix(dtype, 64, 128), lab.matrix(DType.F32, 128, 128));
    }

    private static void block(AccessLab lab, GptqShape shape) {
        new QuantizeKernels(lab)
                .gptqBlock(
                        new GptqBlock(
                                lab.matrix(DType.F32, 128, 128),
                                lab.matrix(DType.F32, 128, 128),
                                lab.matrix(DType.F32, 128, 128),
                                words(lab),
                                lab.matrix(DType.F16, 1, 128),
                                lab.matrix(DType.U8, 1, 128),
                                lab.zeros(128),
                                128,
                                lab.matrix(DType.F32, 1, 128)),
                        GRID,
                        shape);
    }

    /** A group in another order than that of its features. */
    private static int[] mixed(int count) {
        return IntStream.range(0, count).map(column -> column * 45 % count).toArray();
    }

    /** Words of a group whose features take turns in another order than theirs. */
    private static BlockCodes words(AccessLab lab) {
        return new BlockCodes.Words(
                lab.zeros(16 * 128),
                4,
                lab.integers(IntStream.of(mixed(128)).map(place -> 4 * place).toArray()),
                lab.integers(0, 1, 2, 3),
                lab.integers(0, 128));
    }

    private static void attention(AccessLab lab, int headDim) {
        new AttentionKernels(lab)
                .attend(
                        lab.matrix(DType.F16, 128, headDim),
                        lab.matrix(DType.F16, 128, headDim),
                        lab.matrix(DType.F16, 128, headDim),
                        128,
                        headDim,
                        AttentionRule.causal(0.125f),
                        lab.matrix(DType.F16, 128, headDim));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void touchMemoryAsTheirHeadersSay(Case each) {
        String text = KernelFiles.module(each.file() + ".ptx").text();
        int entry = text.indexOf(".visible .entry " + each.kernel() + "(");
        int header = text.lastIndexOf("\n\n", entry);
        Matcher claim = CLAIM.matcher(text.substring(header, entry));
        LaunchStatistics counted;
        try (AccessLab lab = new AccessLab()) {
            each.launch().accept(lab);
            counted = lab.statistics();
        }
        String sectors = ratio(counted.globalSectors(), counted.globalIdealSectors());
        String passes = ratio(counted.sharedWavefronts(), counted.sharedIdealWavefronts());
        assertThat(claim.find())
                .as("%s: %s sectors, %s passes", each, sectors, passes)
                .isTrue();
        assertThat(sectors).as("sectors of " + each).isEqualTo(claim.group(1));
        if (counted.sharedRequests() > 0) {
            assertThat(passes).as("passes of " + each).isEqualTo(claim.group(2));
        }
    }

    private static String ratio(long counted, long fewest) {
        return fewest == 0 ? "0" : String.format(Locale.ROOT, "%.2f", (double) counted / fewest);
    }
}
