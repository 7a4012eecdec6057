package io.gpuquant.device.host;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TilingTest {

    @ParameterizedTest
    @CsvSource({
        "1, 1, 1",
        "127, 129, 1",
        "128, 128, 1",
        "513, 511, 1",
        "1, 3000, 1",
        "3000, 1, 1",
        "1030, 2070, 1",
        "17, 19, 7"
    })
    void coversEveryElementOnce(int rows, int columns, int batch) {
        Tiling tiling = tiling(rows, columns, batch);
        int[] covered = new int[batch * rows * columns];
        for (int i = 0; i < tiling.count(); i++) {
            Tiling.Tile tile = tiling.tile(i);
            assertThat(tile.rows()).isBetween(1, 512);
            assertThat(tile.columns()).isBetween(1, 512);
            for (int r = tile.row(); r < tile.row() + tile.rows(); r++) {
                for (int c = tile.column(); c < tile.column() + tile.columns(); c++) {
                    covered[(tile.batchIndex() * rows + r) * columns + c]++;
                }
            }
        }

        assertThat(covered).containsOnly(1);
    }

    @Test
    void cutsLargeProductsIntoPiecesForManyThreads() {
        assertThat(tiling(512, 512, 1).count()).isGreaterThanOrEqualTo(8);
        assertThat(tiling(64, 64, 32).count()).isEqualTo(32);
        assertThat(tiling(4096, 4096, 1).count()).isEqualTo(64);
    }

    private static Tiling tiling(int rows, int columns, int batch) {
        long elements = (long) batch * rows * columns;
        DeviceBuffer buffer = new DeviceBuffer("c", 256, DType.F32.bytes(elements), () -> {});
        DeviceMatrix a = DeviceMatrix.of(buffer, DType.F32, rows, 1);
        DeviceMatrix b = DeviceMatrix.of(buffer, DType.F32, 1, columns);
        DeviceMatrix c = DeviceMatrix.of(buffer, DType.F32, rows, columns);
        return Tiling.of(Gemm.of(a, b, c).batched(batch, 0, 0, (long) rows * columns));
    }
}
