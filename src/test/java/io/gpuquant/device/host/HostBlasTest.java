package io.gpuquant.device.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.device.Blas;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.Gemm;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.tensor.DType;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Matrix products against float64. The bound is that of any order of summation, {@code (K + 3) u Σ|aᵢbᵢ|} with
 * {@code u = 2^-24}, and two roundings of the result: it holds for every element, whatever the routine OpenBLAS takes.
 */
class HostBlasTest {

    private Device device;

    @BeforeEach
    void open() {
        device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 2));
    }

    @AfterEach
    void close() {
        device.close();
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F16", "BF16"})
    void multipliesAllShapesAndTransposes(DType dtype) {
        int[][] shapes = {
            {1, 1, 1},
            {1, 31, 33},
            {31, 1, 127},
            {33, 127, 1},
            {127, 129, 31},
            {129, 33, 127},
            {2, 3, 1000},
            {260, 515, 7}
        };
        SplittableRandom random = new SplittableRandom(1);
        for (int[] shape : shapes) {
            for (int transposes = 0; transposes < 4; transposes++) {
                new Product(shape[0], shape[1], shape[2], transposes % 2 == 1, transposes / 2 == 1, 1)
                        .check(device, dtype, random, 1, 0);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "-0.5, 2", "0.25, 0", "0, 3", "2, -1"})
    void scalesAndAdds(float alpha, float beta) {
        SplittableRandom random = new SplittableRandom(2);
        for (int transposes = 0; transposes < 4; transposes++) {
            new Product(37, 130, 65, transposes % 2 == 1, transposes / 2 == 1, 1)
                    .check(device, DType.F32, random, alpha, beta);
            new Product(37, 30, 65, transposes % 2 == 1, transposes / 2 == 1, 3)
                    .check(device, DType.BF16, random, alpha, beta);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 9})
    void multipliesBatches(int batch) {
        SplittableRandom random = new SplittableRandom(3);

        new Product(31, 33, 17, false, true, batch).check(device, DType.F32, random, 1, 0);
        new Product(31, 33, 17, true, false, batch).check(device, DType.F16, random, 1, 1);
    }

    /** A sum of no terms is zero, and what C holds is scaled all the same. */
    @Test
    void multipliesMatricesWithoutASharedDimension() {
        SplittableRandom random = new SplittableRandom(4);

        new Product(5, 7, 0, false, false, 1).check(device, DType.F32, random, 1, 0);
        new Product(5, 7, 0, true, true, 1).check(device, DType.F16, random, 1, 2);
    }

    @Test
    void hasNothingToDoForEmptyResults() {
        DeviceMatrix none = DeviceMatrix.allocate(device, "none", DType.F32, 0, 4);
        DeviceMatrix some = DeviceMatrix.allocate(device, "some", DType.F32, 4, 4);

        device.blas().gemm(device.stream(), Gemm.of(none, some, none));
        device.blas().gemm(device.stream(), Gemm.ofTransposedA(some, none.reshape(4, 0), none.reshape(4, 0)));
    }

    /** Products that are cut into many tiles, in both directions, and batches of small ones. */
    @ParameterizedTest
    @ValueSource(ints = {2, 3, 7, 100})
    void givesTheSameBitsForAnyNumberOfThreads(int threads) {
        for (DType dtype : new DType[] {DType.F32, DType.BF16}) {
            for (Product product : new Product[] {
                new Product(700, 513, 40, false, true, 1),
                new Product(33, 1100, 70, true, false, 1),
                new Product(17, 19, 129, false, false, 23)
            }) {
                assertThat(bits(product, dtype, threads)).isEqualTo(bits(product, dtype, 1));
            }
        }
    }

    private static int[] bits(Product product, DType dtype, int threads) {
        try (Device other = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, threads))) {
            return product.bits(other, dtype, new SplittableRandom(5), 1, 1);
        }
    }

    @Test
    void addsTheUpperTriangleOfAGramMatrix() {
        SplittableRandom random = new SplittableRandom(6);
        int n = 1100;
        float[] x = HostMatrices.normal(random, 50 * n);
        DeviceMatrix rows = HostMatrices.put(device, DType.F32, 50, n, x);
        DeviceMatrix gram = HostMatrices.put(device, DType.F32, n, n, new float[n * n]);

        device.blas().addGram(device.stream(), rows, gram);
        device.blas().addGram(device.stream(), rows.rows(0, 20), gram);

        float[] actual = HostMatrices.get(device, gram);
        for (int i = 0; i < n; i += 7) {
            for (int j = i; j < n; j += 11) {
                double sum = 0;
                double magnitude = 0;
                for (int t = 0; t < 50; t++) {
                    double term = (double) x[t * n + i] * x[t * n + j] * (t < 20 ? 2 : 1);
                    sum += term;
                    magnitude += Math.abs(term);
                }
                assertThat(Math.abs(actual[i * n + j] - sum)).isLessThanOrEqualTo(53 * 0x1p-24 * magnitude);
            }
        }
    }

    /** So that no accumulator runs over more than 2048 rows, on any device. */
    @Test
    void cutsTheSumsOfAGramMatrix() {
        int tokens = 2 * Blas.GRAM_CHAIN + 1;
        DeviceMatrix x = HostMatrices.put(device, DType.F32, tokens, 1, new float[tokens]);
        DeviceMatrix g = HostMatrices.put(device, DType.F32, 1, 1, new float[1]);
        RecordingBlas recording = new RecordingBlas();

        recording.addGram(device.stream(), x, g);

        assertThat(recording.sums).containsExactly(2048, 2048, 1);
    }

    @Test
    void coversOnlyPanelsOnAndAboveTheDiagonalOfAGramMatrix() {
        int n = 2 * Blas.GRAM_PANEL + 5;
        DeviceMatrix x = HostMatrices.put(device, DType.F32, 1, n, new float[n]);
        DeviceMatrix g = DeviceMatrix.allocate(device, "gram", DType.F32, n, n);
        RecordingBlas recording = new RecordingBlas();

        recording.addGram(device.stream(), x, g);

        assertThat(recording.rows).containsExactly(1024, 2048, 2053);
        assertThat(recording.columns).containsExactly(1024, 1024, 5);
    }

    @Test
    void readsOperandsOnlyWhereACheckedMachineHasSeenThemWritten() {
        try (Device checked = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1), MachineOptions.checked())) {
            DeviceMatrix written = HostMatrices.put(checked, DType.F32, 2, 2, 1, 2, 3, 4);
            DeviceMatrix fresh = DeviceMatrix.allocate(checked, "fresh", DType.F32, 2, 2);
            DeviceMatrix result = DeviceMatrix.allocate(checked, "result", DType.F32, 2, 2);

            assertThatIllegalArgumentException()
                    .isThrownBy(() -> checked.blas().gemm(checked.stream(), Gemm.of(written, fresh, result)))
                    .withMessageContaining("'fresh', which was never written");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> checked.blas()
                            .gemm(
                                    checked.stream(),
                                    Gemm.of(written, written, result).scaled(1, 1)))
                    .withMessageContaining("'result', which was never written");
            checked.blas().gemm(checked.stream(), Gemm.of(written, written, result));
            assertThat(HostMatrices.get(checked, result)).containsExactly(7, 10, 15, 22);
        }
    }

    @Test
    void refusesClosedBuffersAndThoseOfAnotherDevice() {
        DeviceMatrix whole = HostMatrices.put(device, DType.F32, 2, 2, 1, 2, 3, 4);
        DeviceMatrix closed = HostMatrices.put(device, DType.F32, 2, 2, 1, 2, 3, 4);
        closed.buffer().close();

        assertThatThrownBy(() -> device.blas().gemm(device.stream(), Gemm.of(whole, closed, whole)))
                .isInstanceOf(IllegalStateException.class);
        try (Device other = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1))) {
            DeviceMatrix foreign = HostMatrices.put(other, DType.F32, 2, 2, 1, 2, 3, 4);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> device.blas().gemm(device.stream(), Gemm.of(whole, foreign, whole)));
        }
    }

    @Test
    void saysWhichLibraryItIs() {
        assertThat(device.blas().description()).startsWith("OpenBLAS 0.3");
    }
}
