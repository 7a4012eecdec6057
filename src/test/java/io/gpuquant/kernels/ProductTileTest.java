package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.Blas;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.ptx.TensorCoreModel;
import io.gpuquant.tensor.DType;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

/** The tiles other than 128 x 128, whose kernels the rest of the tests of products run with, and the choice among all. */
final class ProductTileTest {

    /** Edges beside those of tiles of both sizes, in all transpositions; some with rows that are not aligned. */
    private static List<Product> products() {
        return List.of(
                new Product(DType.F16, 31, 33, 129),
                new Product(DType.BF16, 65, 24, 40).inWindows(8, 8),
                new Product(DType.F16, 130, 264, 72),
                new Product(DType.BF16, 17, 257, 33).inWindows(3, 1),
                new Product(DType.F16, 40, 72, 0));
    }

    @ParameterizedTest
    @EnumSource(names = "MEDIUM", mode = Mode.EXCLUDE)
    void computesWhatTheOthersComputeToTheLastBit(ProductTile tile) {
        Blas medium = new PtxBlas();
        Blas other = new PtxBlas(tile);
        for (TensorCoreModel tensorCores : TensorCoreModel.values()) {
            try (ProductLab checked = new ProductLab(MachineOptions.checked().withTensorCores(tensorCores));
                    ProductLab fast = new ProductLab(MachineOptions.fast(2).withTensorCores(tensorCores))) {
                int turn = 0;
                for (Product product : products()) {
                    for (boolean a : new boolean[] {false, true}) {
                        for (boolean b : new boolean[] {false, true}) {
                            Product transposed = product.transposed(a, b).scaled(1.5f, turn++ % 2);
                            float[] expected = transposed.run(fast, medium);
                            assertThat(transposed.run(checked, other))
                                    .as(transposed.toString())
                                    .isEqualTo(expected);
                        }
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = "MEDIUM", mode = Mode.EXCLUDE)
    void computesTheSameBitsOnAllMachines(ProductTile tile) {
        Product product =
                new Product(DType.F16, 70, 40, 70).transposed(false, true).batched(2);
        float[] expected;
        try (ProductLab fast = new ProductLab(MachineOptions.fast(1))) {
            expected = product.run(fast, new PtxBlas());
        }
        ProductLab.checkedModes().forEach(mode -> {
            try (ProductLab lab = new ProductLab(mode)) {
                assertThat(product.run(lab, new PtxBlas(tile))).isEqualTo(expected);
            }
        });
    }

    @ParameterizedTest
    @EnumSource(names = "MEDIUM", mode = Mode.EXCLUDE)
    void hasTwinsThatAreClose(ProductTile tile) {
        Blas twin = new PtxBlas(file -> "twins/" + file, product -> tile);
        try (ProductLab lab = new ProductLab(MachineOptions.checked())) {
            for (Product product : List.of(
                    new Product(DType.F16, 31, 33, 29).transposed(false, true),
                    new Product(DType.BF16, 66, 20, 17)
                            .transposed(true, false)
                            .inWindows(3, 1)
                            .scaled(1, 1),
                    new Product(DType.BF16, 5, 260, 9).batched(2))) {
                ProductOracle.requireClose(product, product.run(lab, twin));
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void differsBetweenTheTypesInTheTypeOnly(ProductTile tile) {
        String text = KernelFiles.module(tile.file()).text();
        assertThat(KernelText.entry(text, "gemm_bf16" + tile.suffix()).replace("bf16", "f16"))
                .isEqualTo(KernelText.entry(text, "gemm_f16" + tile.suffix()));
    }

    @ParameterizedTest
    @CsvSource({
        // architecture, multiprocessors, m, n, batch, tile
        "sm_90, 132, 4096, 4096, 1, LARGE",
        "sm_80, 108, 4096, 4096, 1, LARGE",
        "sm_89, 128, 4096, 4096, 1, MEDIUM",
        "sm_86, 20, 4096, 4096, 1, MEDIUM",
        "sm_90, 132, 2048, 2048, 1, MEDIUM",
        "sm_90, 132, 1024, 1024, 1, SMALL",
        "sm_90, 132, 1024, 1024, 16, LARGE",
        "sm_86, 20, 256, 1024, 1, SMALL",
        "sm_86, 20, 512, 1024, 1, MEDIUM",
        "sm_90, 132, 1, 1, 1, SMALL"
    })
    void isTheLargestOfWhichThereAreEnough(
            String architecture, int multiprocessors, int m, int n, int batch, ProductTile tile) {
        DeviceInfo device = new DeviceInfo("cuda:0", "a GPU", architecture, multiprocessors, 1L << 33, "a driver");
        Gemm gemm = Gemm.of(
                        matrix(DType.F16, batch * m, 8).rows(0, m),
                        matrix(DType.F16, 8, n),
                        matrix(DType.F32, batch * m, n).rows(0, m))
                .batched(batch, 8L * m, 0, (long) m * n);

        assertThat(ProductTile.of(device, gemm)).isEqualTo(tile);
    }

    private static DeviceMatrix matrix(DType dtype, int rows, int columns) {
        return DeviceMatrix.of(
                new DeviceBuffer("nothing", 4096, dtype.bytes((long) rows * columns), () -> {}), dtype, rows, columns);
    }
}
