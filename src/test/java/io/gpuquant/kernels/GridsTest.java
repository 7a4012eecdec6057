package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.LaunchShape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class GridsTest {

    @ParameterizedTest
    @CsvSource({"1, 1", "4, 1", "5, 2", "8, 2", "9, 4", "100, 32", "128, 32", "129, 64", "1024, 256", "2147483647, 256"
    })
    void coversARowWithTheLeastPowerOfTwo(long columns, int threads) {
        assertThat(Grids.threadsPerRow(columns)).isEqualTo(threads);
    }

    @ParameterizedTest
    @CsvSource({
        "1, 1, 1, 1",
        "256, 2048, 1, 64",
        "4096, 2048, 4, 256",
        "14336, 2048, 14, 146",
        "64, 100000, 1, 782",
        "4, 1000000000, 1, 2048",
        "2147483647, 1, 2048, 1",
        "2147483647, 2147483647, 2048, 1"
    })
    void givesBlocksEnoughWorkAndTheDeviceEnoughBlocks(int columns, int rows, int across, int down) {
        assertThat(Grids.vectorsByRows(columns, rows)).isEqualTo(LaunchShape.grid(across, down, 256));
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1", "2048, 256, 64", "2048, 4096, 256", "65536, 2048, 2048", "9, 100000, 2"})
    void givesEachRowAtMostOneWarp(int rows, int columns, int blocks) {
        assertThat(Grids.warpPerRow(rows, columns)).isEqualTo(LaunchShape.linear(blocks, 256));
    }

    @Test
    void stridesOverElements() {
        assertThat(Grids.elementwise(1)).isEqualTo(LaunchShape.linear(1, 256));
        assertThat(Grids.elementwise(8193)).isEqualTo(LaunchShape.linear(2, 256));
        assertThat(Grids.elementwise(1L << 40)).isEqualTo(LaunchShape.linear(2048, 256));
    }
}
