package io.gpuquant.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.InternalException;
import io.gpuquant.ResourceException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Event;
import io.gpuquant.device.Gemm;
import io.gpuquant.tensor.DType;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Products through the fake cuBLAS, which computes column-major, against plain row-major loops. */
@InChildJvm
class CudaBlasTest {

    private static @Nullable Path library;

    @Test
    void everyTransposeAndTypeAgreesWithPlainLoops() {
        try (FakeCuda fake = install();
                Device device = Fakes.open()) {
            Products.requireAll(device);
            assertThat(fake.calls("cublasGemmStridedBatchedEx")).contains("cublasGemmStridedBatchedEx 3");
        }
    }

    @Test
    void rowsAndColumnsOfOneAreMatricesToo() {
        try (FakeCuda fake = install();
                Device device = Fakes.open()) {
            DeviceMatrix row = matrix(device, "row", 1, 3, 1, 2, 3);
            DeviceMatrix column = matrix(device, "column", 3, 1, 4, 5, 6);
            DeviceMatrix inner = matrix(device, "inner", 1, 1, Float.NaN);
            DeviceMatrix outer = matrix(device, "outer", 3, 3, new float[9]);
            device.blas().gemm(device.stream(), Gemm.of(row, column, inner));
            device.blas().gemm(device.stream(), Gemm.of(column, row, outer));
            assertThat(Fakes.floats(device.stream(), inner.buffer())).containsExactly(32);
            assertThat(Fakes.floats(device.stream(), outer.buffer())).containsExactly(4, 8, 12, 5, 10, 15, 6, 12, 18);
            assertThat(fake.calls("cublasCreate_v2")).hasSize(1);
        }
    }

    @Test
    void emptyProductsAreNoCallsAndEmptySumsOnlyScale() {
        try (FakeCuda fake = install();
                Device device = Fakes.open()) {
            DeviceMatrix none = matrix(device, "none", 0, 3);
            DeviceMatrix thin = matrix(device, "thin", 2, 0);
            DeviceMatrix flat = matrix(device, "flat", 0, 2);
            DeviceMatrix target = matrix(device, "target", 2, 2, 1, 2, 3, 4);
            DeviceMatrix square = matrix(device, "square", 3, 3, new float[9]);
            device.blas().gemm(device.stream(), Gemm.of(none, square, none));
            assertThat(fake.calls("cublasGemmEx")).isEmpty();
            device.blas().gemm(device.stream(), Gemm.of(thin, flat, target).scaled(1, 3));
            assertThat(Fakes.floats(device.stream(), target.buffer())).containsExactly(3, 6, 9, 12);
        }
    }

    /** 1 + 2^-12 is no TF32 number, and no float16 number either. */
    @Test
    void operandsAreRoundedOnlyWhereTheProductLetsThem() {
        try (FakeCuda fake = install();
                Device device = Fakes.open()) {
            DeviceMatrix almostOne = matrix(device, "almost one", 1, 1, 1 + 0x1p-12f);
            DeviceMatrix one = matrix(device, "one", 1, 1, 1);
            DeviceMatrix target = matrix(device, "target", 1, 1, 0);
            Gemm product = Gemm.of(almostOne, one, target);
            device.blas().gemm(device.stream(), product);
            assertThat(Fakes.floats(device.stream(), target.buffer())).containsExactly(1 + 0x1p-12f);
            device.blas()
                    .gemm(device.stream(), product.rounded(Gemm.Rounding.TF32).scaled(2, 0));
            assertThat(Fakes.floats(device.stream(), target.buffer())).containsExactly(2);
            DeviceMatrix half = new DeviceMatrix(one.buffer(), 0, DType.BF16, 1, 1, 1);
            device.blas().gemm(device.stream(), Gemm.of(half, half, target).rounded(Gemm.Rounding.TF32));
            assertThat(fake.calls("cublasGemmEx")).hasSize(3);
        }
    }

    @Test
    void productsTakeTheirTurnInTheStream() {
        try (FakeCuda fake = install();
                Device device = Fakes.open()) {
            DeviceMatrix two = matrix(device, "two", 1, 1, 2);
            DeviceMatrix target = matrix(device, "target", 1, 1, 0);
            device.blas().gemm(device.stream(), Gemm.of(two, two, target));
            Event done = device.stream().record();
            device.stream().clear(target);
            device.transferStream().await(done);
            assertThat(Fakes.floats(device.transferStream(), target.buffer())).containsExactly(4);
            device.stream().synchronize();
            assertThat(Fakes.floats(device.stream(), target.buffer())).containsExactly(0);
            assertThat(fake.calls("cuCtxSynchronize")).isEmpty();
        }
    }

    @Test
    void eachStreamHasItsHandleAndWorkspace() {
        try (FakeCuda fake = install()) {
            Device device = Fakes.open();
            DeviceMatrix two = matrix(device, "two", 1, 1, 2);
            DeviceMatrix first = matrix(device, "first", 1, 1, 0);
            DeviceMatrix second = matrix(device, "second", 1, 1, 0);
            device.stream().synchronize();
            for (int i = 0; i < 2; i++) {
                device.blas().gemm(device.stream(), Gemm.of(two, two, first));
                device.blas().gemm(device.transferStream(), Gemm.of(two, two, second));
            }
            assertThat(Fakes.floats(device.transferStream(), second.buffer())).containsExactly(4);
            assertThat(Fakes.floats(device.stream(), first.buffer())).containsExactly(4);
            assertThat(fake.calls("cublasCreate_v2")).hasSize(2);
            assertThat(fake.calls("cublasSetStream_v2")).hasSize(2);
            assertThat(fake.calls("cublasSetWorkspace_v2"))
                    .containsExactly("cublasSetWorkspace_v2 33554432", "cublasSetWorkspace_v2 33554432");
            assertThat(fake.calls("cublasSetMathMode")).containsOnly("cublasSetMathMode 0");
            assertThat(device.memory().heldBytes()).isEqualTo(2 * device.blas().bytesPerStream() + 12);
            device.close();
            assertThat(fake.calls("cublasDestroy_v2")).hasSize(2);
        }
    }

    @Test
    void saysWhichLibraryItIs() {
        try (FakeCuda fake = install();
                Device device = Fakes.open()) {
            assertThat(device.blas().description()).isEqualTo("cuBLAS 12.2.3 (" + library + ")");
            assertThat(device.blas()).isSameAs(device.blas());
            assertThat(fake.calls("cublasCreate_v2")).hasSize(1);
        }
    }

    @Test
    void failureNamesTheProductAndTheStatus() {
        try (FakeCuda fake = install();
                Device device = Fakes.open()) {
            DeviceMatrix a = matrix(device, "a", 2, 3, new float[6]);
            DeviceMatrix c = matrix(device, "c", 3, 3, new float[9]);
            device.blas();
            fake.fail("cublasGemmEx", 13);
            assertThatThrownBy(() -> device.blas().gemm(device.stream(), Gemm.ofTransposedA(a, a, c)))
                    .isInstanceOf(InternalException.class)
                    .hasMessageContaining("a cuBLAS product of 3 x 2 by 2 x 3 on cuda:0 failed with"
                            + " CUBLAS_STATUS_EXECUTION_FAILED from cublasGemmEx")
                    .hasMessageContaining("gpuquant selftest")
                    .hasMessageContaining("-Dgpuquant.cublas");
            fake.fail("cublasGemmStridedBatchedEx", 15);
            assertThatThrownBy(() -> device.blas()
                            .gemm(device.stream(), Gemm.ofTransposedA(a, a, c).batched(2, 0, 0, 0)))
                    .hasMessageContaining("CUBLAS_STATUS_NOT_SUPPORTED from cublasGemmStridedBatchedEx");
        }
    }

    @Test
    void libraryThatLacksMemoryGetsWhatThePoolKeeps() {
        try (FakeCuda fake = install().fail("cublasCreate_v2", 3);
                Device device = Fakes.open()) {
            DeviceMatrix two = matrix(device, "two", 1, 1, 2);
            device.blas();
            fake.fail("cublasGemmEx", 3);
            device.blas().gemm(device.stream(), Gemm.of(two, two, two));
            assertThat(Fakes.floats(device.stream(), two.buffer())).containsExactly(4);
            assertThat(fake.calls("cublasCreate_v2")).hasSize(2);
            assertThat(fake.calls("cuMemPoolTrimTo")).hasSize(2);
            fake.fail("cublasGemmEx", 3).fail("cublasGemmEx", 3);
            assertThatThrownBy(() -> device.blas().gemm(device.stream(), Gemm.of(two, two, two)))
                    .isInstanceOf(ResourceException.class)
                    .hasMessageContaining(
                            "cuda:0 has no memory left for what cuBLAS needs beside the operands of a cuBLAS"
                                    + " product of 1 x 1 by 1 x 1")
                    .hasMessageContaining("--device-memory");
        }
    }

    @Test
    void faultAfterAProductNamesTheProduct() {
        try (FakeCuda fake = install()) {
            Device device = Fakes.open();
            DeviceMatrix a = matrix(device, "a", 2, 2, new float[4]);
            device.blas().gemm(device.stream(), Gemm.of(a, a, a));
            fake.fail("cuStreamSynchronize", 700);
            assertThatThrownBy(() -> device.stream().synchronize())
                    .hasMessageContaining("CUDA_ERROR_ILLEGAL_ADDRESS")
                    .hasMessageContaining("a cuBLAS product of 2 x 2 by 2 x 2");
            device.close();
            fake.reset();
        }
    }

    @Test
    void handleThatCannotBeSetUpLeavesNothing() {
        try (FakeCuda fake = install();
                Device device = Fakes.open()) {
            device.blas();
            long held = device.memory().heldBytes();
            DeviceMatrix a = matrix(device, "a", 1, 1, 1);
            fake.fail("cublasSetMathMode", 7);
            assertThatThrownBy(() -> device.blas().gemm(device.transferStream(), Gemm.of(a, a, a)))
                    .hasMessageContaining("CUBLAS_STATUS_INVALID_VALUE from cublasSetMathMode");
            assertThat(fake.calls("cublasDestroy_v2")).hasSize(1);
            assertThat(device.memory().heldBytes()).isEqualTo(held + 4);
        }
    }

    @Test
    void refusesAStreamOfAnotherKindOfDevice() {
        try (FakeCuda fake = install();
                Device device = Fakes.open()) {
            DeviceMatrix a = matrix(device, "a", 1, 1, 1);
            io.gpuquant.device.Stream stranger = (io.gpuquant.device.Stream) Proxy.newProxyInstance(
                    CudaBlasTest.class.getClassLoader(),
                    new Class<?>[] {io.gpuquant.device.Stream.class},
                    (proxy, method, arguments) -> {
                        throw new AssertionError(method);
                    });
            assertThatThrownBy(() -> device.blas().gemm(stranger, Gemm.of(a, a, a)))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThat(fake.calls("cublasGemmEx")).isEmpty();
        }
    }

    @Test
    void knowsTheNameOfEveryStatus() {
        assertThat(Arrays.stream(new int[] {0, 1, 3, 7, 8, 11, 13, 14, 15, 16}).mapToObj(Cublas::statusName))
                .allMatch(name -> name.startsWith("CUBLAS_STATUS_"))
                .doesNotHaveDuplicates();
        assertThat(Cublas.statusName(99)).isEqualTo("cuBLAS status 99");
    }

    private static FakeCuda install() {
        FakeCuda fake = FakeCuda.install();
        if (library == null) {
            library = FakeCublas.compile(fake, 12);
        }
        System.setProperty(CublasSearch.PROPERTY, library.toString());
        return fake;
    }

    private static DeviceMatrix matrix(Device device, String name, int rows, int columns, float... numbers) {
        return DeviceMatrix.of(Fakes.buffer(device, name, numbers), DType.F32, rows, columns);
    }
}
