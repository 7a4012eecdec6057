package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import io.gpuquant.device.Blas;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.ptx.TensorCoreModel;
import io.gpuquant.tensor.DType;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * gram_f32 is of class A: kernel, twin and scalar Java agree in every bit. gram_f16 and gram_bf16 are of class B: they are
 * held to a bound around the Gram matrix in float64, as their twins are.
 */
final class GramTest {

    private static final Blas KERNEL = new PtxBlas();
    private static final Blas TWIN = new PtxBlas(file -> "twins/" + file, product -> ProductTile.MEDIUM);
    private static final float AROUND = 12_345f;

    /** X of [tokens, n] in a window, added to a random G in a window. */
    private record Case(DType dtype, int tokens, int n, int offset, int gap) {

        Case(DType dtype, int tokens, int n) {
            this(dtype, tokens, n, 0, 0);
        }

        float[] x() {
            return Product.random(tokens, tokens * n, dtype);
        }

        float[] before() {
            return Product.random(5, n * n, DType.F32);
        }

        /** G afterwards. */
        float[] run(ProductLab lab, Blas blas) {
            DeviceMatrix x = lab.window("x", dtype, tokens, n, n + gap, offset, x());
            DeviceMatrix g = lab.windowIn(AROUND, "g", DType.F32, n, n, n + gap, offset, before());
            blas.addGram(lab.stream(), x, g);
            float[] result = Product.inside(lab.everything(g), g, AROUND);
            x.buffer().close();
            g.buffer().close();
            return result;
        }
    }

    /** Each chunk of tokens is summed in order from zero, and added to G. */
    private static void assertExact(Case gram, float[] results) {
        float[] x = gram.x();
        float[] before = gram.before();
        int n = gram.n();
        for (int i = 0; i < n; i++) {
            for (int j = i; j < n; j++) {
                float expected = before[i * n + j];
                for (int first = 0; first < gram.tokens(); first += Blas.GRAM_CHAIN) {
                    float sum = 0;
                    for (int token = first; token < Math.min(gram.tokens(), first + Blas.GRAM_CHAIN); token++) {
                        sum = Math.fma(x[token * n + i], x[token * n + j], sum);
                    }
                    expected += sum;
                }
                if (results[i * n + j] != expected) {
                    fail("%s: [%d, %d] is %g, not %g", gram, i, j, results[i * n + j], expected);
                }
            }
        }
    }

    /** As {@link ProductOracle#requireClose}, for chains of at most 2048 tokens, and one more rounding for each chunk. */
    private static void assertClose(Case gram, float[] results) {
        float[] x = gram.x();
        float[] before = gram.before();
        int n = gram.n();
        double chain = Math.min(gram.tokens(), Blas.GRAM_CHAIN) / 8.0 + 8;
        for (int i = 0; i < n; i++) {
            for (int j = i; j < n; j++) {
                double expected = before[i * n + j];
                double magnitude = Math.abs(expected);
                for (int token = 0; token < gram.tokens(); token++) {
                    double term = (double) x[token * n + i] * x[token * n + j];
                    expected += term;
                    magnitude += Math.abs(term);
                }
                double error = results[i * n + j] - expected;
                double bound = chain * 0x1p-23 * magnitude;
                if (!(Math.abs(error) <= bound)) {
                    fail("%s: [%d, %d] errs by %g, more than %g", gram, i, j, error, bound);
                }
            }
        }
    }

    private static void assertRight(MachineOptions options, Blas blas, Stream<Case> cases) {
        try (ProductLab lab = new ProductLab(options)) {
            cases.forEach(gram -> {
                float[] results = gram.run(lab, blas);
                if (gram.dtype() == DType.F32) {
                    assertExact(gram, results);
                } else {
                    assertClose(gram, results);
                }
            });
        }
    }

    private static Stream<Case> raggedCases() {
        return Stream.of(DType.F32, DType.F16, DType.BF16)
                .flatMap(type -> Stream.of(
                        new Case(type, 1, 1),
                        new Case(type, 33, 31),
                        new Case(type, 31, 129),
                        new Case(type, 33, 200),
                        new Case(type, 127, 33),
                        new Case(type, 129, 127),
                        new Case(type, 32, 136)));
    }

    @ParameterizedTest
    @EnumSource
    void kernelIsRightForRaggedShapes(TensorCoreModel tensorCores) {
        assertRight(MachineOptions.checked().withTensorCores(tensorCores), KERNEL, raggedCases());
    }

    @Test
    void twinIsRightForRaggedShapes() {
        assertRight(MachineOptions.checked(), TWIN, raggedCases().filter(gram -> gram.tokens() < 100));
    }

    /** More than one band of tile columns, the second cut off within a tile. */
    @Test
    void tilesOfAllBandsAreComputed() {
        assertRight(
                MachineOptions.fast(1), KERNEL, Stream.of(new Case(DType.F16, 5, 1100), new Case(DType.F32, 3, 1250)));
        assertRight(MachineOptions.fast(1), TWIN, Stream.of(new Case(DType.F16, 5, 1100)));
    }

    static Stream<MachineOptions> modes() {
        return ProductLab.checkedModes();
    }

    @ParameterizedTest
    @MethodSource("modes")
    void allMachinesComputeTheSameBits(MachineOptions mode) {
        List<Case> cases = List.of(
                new Case(DType.F32, 20, 140, 4, 4),
                new Case(DType.F16, 70, 136, 8, 8),
                new Case(DType.BF16, 40, 131, 3, 2));
        try (ProductLab lab = new ProductLab(mode);
                ProductLab fast = new ProductLab(MachineOptions.fast(1))) {
            for (Case gram : cases) {
                float[] results = gram.run(fast, KERNEL);
                assertThat(gram.run(lab, KERNEL)).isEqualTo(results);
                assertThat(gram.run(lab, TWIN)).isEqualTo(gram.run(fast, TWIN));
            }
        }
    }

    @Test
    void windowsMayBeMisaligned() {
        Stream<Case> cases = Stream.of(DType.F32, DType.F16, DType.BF16)
                .flatMap(type -> Stream.of(
                        new Case(type, 40, 40, 1, 0),
                        new Case(type, 40, 40, 0, 1),
                        new Case(type, 40, 37, 8, 3),
                        new Case(type, 40, 40, 8, 8),
                        new Case(type, 9, 132, 4, 4)));
        assertRight(MachineOptions.checked(), KERNEL, cases);
    }

    /** Three chains, the diagonal of equal signs throughout. */
    @Test
    void manyTokensAreAddedChainByChain() {
        Stream<Case> cases = Stream.of(DType.F32, DType.F16, DType.BF16).map(type -> new Case(type, 4500, 4));
        assertRight(MachineOptions.fast(1), KERNEL, cases);
    }

    @Test
    void nothingIsAddedForNoTokens() {
        for (DType type : List.of(DType.F32, DType.F16, DType.BF16)) {
            try (ProductLab lab = new ProductLab(MachineOptions.checked())) {
                Case none = new Case(type, 0, 5);
                assertThat(none.run(lab, KERNEL)).isEqualTo(none.before());
            }
        }
    }

    @Test
    void entriesOfTheTwoHalfTypesDifferInTheTypeOnly() {
        String text = KernelFiles.module("gram.ptx").text();
        assertThat(KernelText.entry(text, "gram_bf16").replace("bf16", "f16"))
                .isEqualTo(KernelText.entry(text, "gram_f16"));
    }
}
