package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.Blas;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.tensor.DType;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * gemm_f32 is of class A: a sum is a fixed sequence of correctly rounded operations, so kernel, twin and scalar Java agree in
 * every bit.
 */
final class GemmF32Test {

    private static final Blas KERNEL = new PtxBlas();
    private static final Blas TWIN = new PtxBlas(file -> "twins/" + file, product -> ProductTile.MEDIUM);

    private static Product product(int m, int n, int k) {
        return new Product(DType.F32, m, n, k);
    }

    private static void assertExact(MachineOptions options, Blas blas, List<Product> products) {
        try (ProductLab lab = new ProductLab(options)) {
            for (Product product : products) {
                assertThat(product.run(lab, blas))
                        .describedAs(product.toString())
                        .isEqualTo(ProductOracle.inOrder(product));
            }
        }
    }

    /** Edges below, at and above those of tiles, in all dimensions and all transpositions. */
    private static List<Product> raggedProducts() {
        return Stream.of(false, true)
                .flatMap(a -> Stream.of(false, true)
                        .flatMap(b -> Stream.of(
                                        product(1, 1, 1),
                                        product(31, 33, 1),
                                        product(33, 127, 31),
                                        product(129, 31, 33),
                                        product(127, 129, 7),
                                        product(1, 200, 127),
                                        product(200, 1, 129),
                                        product(128, 132, 16))
                                .map(product -> product.transposed(a, b))))
                .toList();
    }

    @Test
    void kernelIsExactForAllTranspositionsOfRaggedShapes() {
        assertExact(MachineOptions.checked(), KERNEL, raggedProducts());
    }

    @Test
    void twinIsExactForAllTranspositionsOfRaggedShapes() {
        assertExact(MachineOptions.checked(), TWIN, raggedProducts());
    }

    @Test
    void fastMachineIsExactForAllTranspositionsOfRaggedShapes() {
        assertExact(MachineOptions.fast(1), KERNEL, raggedProducts());
    }

    static Stream<MachineOptions> modes() {
        return ProductLab.checkedModes();
    }

    @ParameterizedTest
    @MethodSource("modes")
    void orderOfWarpsAndLanesDoesNotMatter(MachineOptions mode) {
        List<Product> products = List.of(
                product(130, 33, 25).transposed(false, true).scaled(0.5f, -2),
                product(31, 140, 20).transposed(true, false).inWindows(4, 4));
        assertExact(mode, KERNEL, products);
        assertExact(mode, TWIN, products);
    }

    private static List<Product> scaledProducts() {
        return List.of(
                product(33, 40, 17).scaled(1, 1),
                product(33, 40, 17).scaled(-1, 1).transposed(false, true),
                product(33, 40, 17).scaled(0.3f, 0),
                product(33, 40, 17).scaled(0, 1),
                product(150, 140, 9).scaled(1.7f, -0.9f).transposed(true, true));
    }

    @Test
    void alphaAndBetaScaleAndAccumulate() {
        assertExact(MachineOptions.checked(), KERNEL, scaledProducts());
        assertExact(MachineOptions.checked(), TWIN, scaledProducts());
    }

    private static List<Product> emptySums() {
        return List.of(
                product(33, 40, 0),
                product(33, 40, 0).scaled(1, 0.5f),
                product(130, 3, 0).transposed(true, true).scaled(2, 1));
    }

    @Test
    void sumsOfNothingAreZero() {
        assertExact(MachineOptions.checked(), KERNEL, emptySums());
        assertExact(MachineOptions.checked(), TWIN, emptySums());
    }

    /** Offsets and gaps of one to four floats: every alignment of rows. */
    private static List<Product> windows() {
        return List.of(
                product(31, 36, 20).inWindows(1, 0),
                product(31, 36, 20).inWindows(4, 1).transposed(false, true),
                product(31, 36, 20).inWindows(0, 3).transposed(true, false),
                product(31, 36, 20).inWindows(2, 2).transposed(true, true),
                product(32, 136, 24).inWindows(4, 4).transposed(true, false));
    }

    @Test
    void windowsMayBeMisaligned() {
        assertExact(MachineOptions.checked(), KERNEL, windows());
        assertExact(MachineOptions.checked(), TWIN, windows());
    }

    private static List<Product> batches() {
        return List.of(
                product(31, 33, 13).batched(3),
                product(31, 33, 13).batched(3).withSharedA().transposed(false, true),
                product(31, 33, 13).batched(3).withSharedB().scaled(1, 1),
                product(4, 132, 5).batched(5).inWindows(3, 1).transposed(true, false));
    }

    @Test
    void batchesMayShareAnOperand() {
        assertExact(MachineOptions.checked(), KERNEL, batches());
        assertExact(MachineOptions.checked(), TWIN, batches());
    }

    /** No {@link Gemm} has such operands, but the kernel's parameters can say so. */
    @Test
    void neitherStrideOfAnOperandNeedBeOne() {
        int m = 40;
        int n = 35;
        int k = 21;
        Product dense = product(m, n, k);
        try (ProductLab lab = new ProductLab(MachineOptions.checked())) {
            DeviceMatrix a = lab.matrix("a", DType.F32, m * k, 2, spread(dense.a()));
            DeviceMatrix b = lab.matrix("b", DType.F32, k * n, 2, spread(dense.b()));
            DeviceMatrix c = lab.matrix("c", DType.F32, m, n, dense.c());
            KernelArguments arguments = new KernelArguments()
                    .matrix(c)
                    .int32(n)
                    .matrix(a)
                    .int32(2 * k)
                    .int32(2)
                    .matrix(b)
                    .int32(2 * n)
                    .int32(2)
                    .int32(m)
                    .int32(n)
                    .int32(k)
                    .float32(1)
                    .float32(0)
                    .int64(0)
                    .int64(0)
                    .int64(0);
            for (KernelModule module : List.of(KernelFiles.module("gemm.ptx"), KernelFiles.module("twins/gemm.ptx"))) {
                lab.stream().launch(module.entry("gemm_f32"), LaunchShape.linear(1, 256), arguments);
                assertThat(lab.everything(c)).describedAs(module.name()).isEqualTo(ProductOracle.inOrder(dense));
            }
        }
    }

    /** Each value, and a NaN after it. */
    private static float[] spread(float[] values) {
        float[] result = new float[2 * values.length];
        for (int i = 0; i < values.length; i++) {
            result[2 * i] = values[i];
            result[2 * i + 1] = Float.NaN;
        }
        return result;
    }
}
