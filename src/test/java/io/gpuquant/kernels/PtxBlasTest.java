package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.gpuquant.device.Blas;
import io.gpuquant.device.BlasFactory;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.Gemm;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.tensor.DType;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;

/** What PtxBlas launches; what the kernels compute is tested elsewhere. */
final class PtxBlasTest {

    private final Blas blas = new PtxBlas();
    private final LaunchRecorder stream = new LaunchRecorder();

    private static DeviceMatrix matrix(DType dtype, int rows, int columns) {
        return DeviceMatrix.of(
                new DeviceBuffer("a matrix", 4096, dtype.bytes((long) rows * columns), () -> {}), dtype, rows, columns);
    }

    private static Gemm gemm(DType dtype, int m, int n, int k) {
        return Gemm.of(matrix(dtype, m, k), matrix(dtype, k, n), matrix(DType.F32, m, n));
    }

    @Test
    void eachTypeHasItsKernel() {
        blas.gemm(stream, gemm(DType.F32, 1, 1, 1));
        blas.gemm(stream, gemm(DType.F16, 1, 1, 1));
        blas.gemm(stream, gemm(DType.BF16, 1, 1, 1));
        blas.addGram(stream, matrix(DType.F32, 1, 1), matrix(DType.F32, 1, 1));
        blas.addGram(stream, matrix(DType.F16, 1, 1), matrix(DType.F32, 1, 1));
        blas.addGram(stream, matrix(DType.BF16, 1, 1), matrix(DType.F32, 1, 1));

        assertThat(stream.launches())
                .extracting(launch -> launch.kernel().name())
                .containsExactly("gemm_f32", "gemm_f16", "gemm_bf16", "gram_f32", "gram_f16", "gram_bf16");
    }

    @Test
    void blocksAreTilesOf128By128() {
        blas.gemm(stream, gemm(DType.F16, 128, 129, 5));
        blas.gemm(stream, gemm(DType.F32, 300, 128, 5));

        assertThat(stream.launches())
                .extracting(LaunchRecorder.Launch::shape)
                .containsExactly(LaunchShape.linear(2, 256), LaunchShape.linear(3, 256));
    }

    @Test
    void batchesBeyondTheLargestGridAreSplit() {
        int count = 70_000;
        DeviceMatrix a = matrix(DType.F16, count, 2);
        DeviceMatrix b = matrix(DType.F16, 2, 1);
        DeviceMatrix c = matrix(DType.F32, count, 1);
        blas.gemm(stream, Gemm.of(a.rows(0, 1), b, c.rows(0, 1)).batched(count, 2, 0, 1));

        assertThat(stream.launches())
                .extracting(launch -> launch.shape().gridZ())
                .containsExactly(65_535, 70_000 - 65_535);
        assertThat(stream.launches().get(1).argument(0))
                .isEqualTo(c.rows(65_535, 1).address());
        assertThat(stream.launches().get(1).argument(2))
                .isEqualTo(a.rows(65_535, 1).address());
        assertThat(stream.launches().get(1).argument(5)).isEqualTo(b.address());
    }

    @Test
    void emptyProductsLaunchNothing() {
        blas.gemm(stream, gemm(DType.F32, 0, 5, 5));
        blas.gemm(stream, gemm(DType.F16, 5, 0, 5));
        blas.addGram(stream, matrix(DType.F16, 0, 5), matrix(DType.F32, 5, 5));
        blas.addGram(stream, matrix(DType.F16, 5, 0), matrix(DType.F32, 0, 0));

        assertThat(stream.launches()).isEmpty();
    }

    @Test
    void gramChainsEndAfter2048Tokens() {
        DeviceMatrix x = matrix(DType.BF16, 5000, 3);
        blas.addGram(stream, x, matrix(DType.F32, 3, 3));

        assertThat(stream.launches()).extracting(launch -> launch.argument(4)).containsExactly(2048L, 2048L, 904L);
        assertThat(stream.launches())
                .extracting(launch -> launch.argument(2))
                .containsExactly(
                        x.address(), x.rows(2048, 1).address(), x.rows(4096, 1).address());
    }

    @Test
    void gramGridsCoverTheTrianglesOfTheirBands() {
        for (int n : new int[] {1, 1024, 1025, 4096}) {
            blas.addGram(stream, matrix(DType.F16, 1, n), matrix(DType.F32, n, n));
        }

        assertThat(stream.launches())
                .extracting(launch -> launch.shape().gridX())
                .containsExactly(64, 64, 64 + 128, 64 + 128 + 192 + 256);
    }

    @Test
    void refusesGramMatricesOfTheWrongShapeOrType() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> blas.addGram(stream, matrix(DType.F16, 4, 3), matrix(DType.F32, 4, 4)));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> blas.addGram(stream, matrix(DType.F16, 4, 3), matrix(DType.F16, 3, 3)));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> blas.addGram(stream, matrix(DType.I32, 4, 3), matrix(DType.F32, 3, 3)));
    }

    @Test
    void saysWhoComputes() {
        assertThat(blas.description()).isEqualTo("PTX kernels");
    }

    @Test
    void devicesFindItAsAService() {
        try (Device device = HostDevice.open(DeviceOptions.defaults())) {
            assertThat(ServiceLoader.load(BlasFactory.class))
                    .singleElement()
                    .extracting(factory -> factory.create(device))
                    .isInstanceOf(PtxBlas.class);
        }
    }
}
