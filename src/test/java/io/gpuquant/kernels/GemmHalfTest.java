package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.Blas;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.ptx.TensorCoreModel;
import io.gpuquant.tensor.DType;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * gemm_f16 and gemm_bf16 are of class B: tensor cores of different generations round sums differently, so results are held
 * to a bound around the product in float64. The twins, which add in another order, are held to the same bound.
 */
final class GemmHalfTest {

    private static final Blas KERNEL = new PtxBlas();
    private static final Blas TWIN = new PtxBlas(file -> "twins/" + file, product -> ProductTile.MEDIUM);

    static final List<DType> HALF_TYPES = List.of(DType.F16, DType.BF16);

    private static void assertClose(MachineOptions options, Blas blas, List<Product> products) {
        try (ProductLab lab = new ProductLab(options)) {
            for (Product product : products) {
                ProductOracle.requireClose(product, product.run(lab, blas));
            }
        }
    }

    /** Edges below, at and above those of tiles, in all dimensions, types and transpositions. */
    private static List<Product> raggedProducts() {
        return HALF_TYPES.stream()
                .flatMap(type -> Stream.of(false, true)
                        .flatMap(a -> Stream.of(false, true)
                                .flatMap(b -> Stream.of(
                                                new Product(type, 1, 1, 1),
                                                new Product(type, 31, 33, 129),
                                                new Product(type, 33, 127, 31),
                                                new Product(type, 129, 31, 33),
                                                new Product(type, 127, 129, 8),
                                                new Product(type, 1, 200, 127),
                                                new Product(type, 200, 1, 200),
                                                new Product(type, 128, 136, 104))
                                        .map(product -> product.transposed(a, b)))))
                .toList();
    }

    @ParameterizedTest
    @EnumSource
    void kernelIsCloseForAllTranspositionsOfRaggedShapes(TensorCoreModel tensorCores) {
        assertClose(MachineOptions.checked().withTensorCores(tensorCores), KERNEL, raggedProducts());
    }

    @Test
    void twinIsCloseForAllTranspositionsOfRaggedShapes() {
        List<Product> small = raggedProducts().stream()
                .filter(product -> product.operations() < 200_000)
                .toList();
        assertClose(MachineOptions.checked(), TWIN, small);
        assertClose(MachineOptions.fast(1), TWIN, raggedProducts());
    }

    static Stream<MachineOptions> modes() {
        return ProductLab.checkedModes();
    }

    @ParameterizedTest
    @MethodSource("modes")
    void allMachinesComputeTheSameBits(MachineOptions mode) {
        List<Product> products = List.of(
                new Product(DType.F16, 130, 33, 150).transposed(false, true).scaled(0.5f, -2),
                new Product(DType.BF16, 31, 136, 72).transposed(true, false).inWindows(8, 8),
                new Product(DType.BF16, 31, 140, 101).inWindows(3, 0),
                new Product(DType.F16, 200, 33, 129).transposed(true, true));
        try (ProductLab lab = new ProductLab(mode);
                ProductLab fast = new ProductLab(MachineOptions.fast(1))) {
            for (Product product : products) {
                assertThat(product.run(lab, KERNEL)).isEqualTo(product.run(fast, KERNEL));
                assertThat(product.run(lab, TWIN)).isEqualTo(product.run(fast, TWIN));
            }
        }
    }

    @ParameterizedTest
    @FieldSource("HALF_TYPES")
    void alphaAndBetaScaleAndAccumulate(DType type) {
        List<Product> products = List.of(
                new Product(type, 33, 40, 17).scaled(1, 1),
                new Product(type, 33, 40, 17).scaled(-1, 1).transposed(false, true),
                new Product(type, 33, 40, 17).scaled(0.3f, 0),
                new Product(type, 33, 40, 17).scaled(0, 1),
                new Product(type, 150, 140, 40).scaled(1.7f, -0.9f).transposed(true, true));
        assertClose(MachineOptions.checked(), KERNEL, products);
        assertClose(MachineOptions.checked(), TWIN, products);
    }

    @ParameterizedTest
    @FieldSource("HALF_TYPES")
    void sumsOfNothingAreZero(DType type) {
        List<Product> products = List.of(
                new Product(type, 33, 40, 0),
                new Product(type, 33, 40, 0).scaled(1, 0.5f),
                new Product(type, 130, 3, 0).transposed(true, true).scaled(2, 1));
        assertClose(MachineOptions.checked(), KERNEL, products);
        assertClose(MachineOptions.checked(), TWIN, products);
    }

    /** Offsets and gaps of every parity and of 16 bytes, so that each operand is read in chunks or element by element. */
    @ParameterizedTest
    @FieldSource("HALF_TYPES")
    void windowsMayBeMisaligned(DType type) {
        List<Product> products = List.of(
                new Product(type, 31, 40, 72).inWindows(1, 0),
                new Product(type, 31, 40, 72).inWindows(8, 1).transposed(false, true),
                new Product(type, 31, 40, 72).inWindows(0, 7).transposed(true, false),
                new Product(type, 32, 140, 72).inWindows(4, 4).transposed(true, true),
                new Product(type, 32, 136, 72).inWindows(16, 24).transposed(true, false),
                new Product(type, 40, 39, 72).inWindows(8, 8).transposed(true, true));
        assertClose(MachineOptions.checked(), KERNEL, products);
        assertClose(MachineOptions.checked(), TWIN, products);
    }

    @ParameterizedTest
    @FieldSource("HALF_TYPES")
    void batchesMayShareAnOperand(DType type) {
        List<Product> products = List.of(
                new Product(type, 31, 33, 13).batched(3),
                new Product(type, 16, 40, 24).batched(3).withSharedA().transposed(false, true),
                new Product(type, 16, 40, 24).batched(3).withSharedB().scaled(1, 1),
                new Product(type, 4, 132, 5).batched(5).inWindows(3, 1).transposed(true, false));
        assertClose(MachineOptions.checked(), KERNEL, products);
        assertClose(MachineOptions.checked(), TWIN, products);
    }

    @Test
    void entriesOfTheTwoTypesDifferInTheTypeOnly() {
        String text = KernelFiles.module("gemm_half.ptx").text();
        assertThat(KernelText.entry(text, "gemm_bf16").replace("bf16", "f16"))
                .isEqualTo(KernelText.entry(text, "gemm_f16"));
    }
}
