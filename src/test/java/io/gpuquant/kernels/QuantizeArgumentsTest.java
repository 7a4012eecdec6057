package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.QuantizationGrid.Search;
import io.gpuquant.tensor.DType;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the faces of the quantization kernels refuse, and where they launch nothing. */
class QuantizeArgumentsTest {

    private static final QuantizationGrid GRID = new QuantizationGrid(4, true, 0, Search.MIN_MAX);

    private KernelRig rig;

    @BeforeEach
    void open() {
        rig = KernelRig.fast();
    }

    @AfterEach
    void close() {
        rig.close();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 5, 6, 7, 16})
    void refusesBitsThatNoFormatPacks(int bits) {
        assertThatThrownBy(() -> new QuantizationGrid(bits, true, 0, Search.MSE))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(bits + " bits");
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 2})
    void refusesASmallestZeroPointThatNoFormatNeeds(int smallestZero) {
        assertThatThrownBy(() -> new QuantizationGrid(4, false, smallestZero, Search.MSE))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("a smallest zero point of " + smallestZero);
    }

    @Test
    void refusesBlocksWiderThanKernelsTake() {
        assertRefused(() -> block(2, 129, 129), "a block of 129 columns");
        DeviceMatrix wide = rig.empty(DType.F32, 129, 129);
        DeviceMatrix status = rig.empty(DType.I32, 1, 1);
        assertRefused(() -> rig.hessian().factorDiagonal(wide, wide, status, 0), "a diagonal block of 129");
    }

    @Test
    void refusesGroupsThatDoNotFillABlock() {
        assertRefused(() -> block(2, 128, 96), "groups of 96 in a block of 128");
        assertRefused(() -> block(2, 128, -1), "groups of -1 in a block of 128");
    }

    @Test
    void refusesScalesAndZeroPointsOfDifferentStrides() {
        DeviceMatrix weights = rig.empty(DType.F32, 3, 8);
        DeviceMatrix scales = rig.empty(DType.F16, 1, 3);
        DeviceMatrix zeros = rig.empty(DType.U8, 1, 5).columns(0, 3);
        DeviceMatrix groups = rig.empty(DType.I32, 1, 8);
        DeviceMatrix codes = rig.empty(DType.U8, 3, 8);
        DeviceMatrix square = rig.empty(DType.F32, 8, 8);
        DeviceMatrix loss = rig.empty(DType.F32, 1, 3);

        assertRefused(() -> rig.quantize().findGrids(weights, 8, GRID, scales, zeros), "have different strides");
        assertRefused(
                () -> rig.quantize().round(weights, codes, scales, zeros, groups, GRID), "have different strides");
        assertRefused(
                () -> new GptqBlock(
                        weights, weights, square, new BlockCodes.Bytes(codes), scales, zeros, groups, 8, loss),
                "have different strides");
    }

    @Test
    void launchesNothingForNoRows() {
        DeviceMatrix scales = rig.empty(DType.F16, 1, 0);
        DeviceMatrix zeros = rig.empty(DType.U8, 1, 0);
        DeviceMatrix weights = rig.empty(DType.F32, 0, 8);
        DeviceMatrix groups = rig.integers(1, 8, new int[8]);

        rig.quantize().findGrids(weights, 8, GRID, scales, zeros);
        rig.quantize().round(weights, rig.empty(DType.U8, 0, 8), scales, zeros, groups, GRID);
        rig.quantize().gptqBlock(block(0, 8, 8), GRID, GptqShape.THREAD_PER_ROW);
        assertThat(GRID.middle()).isEqualTo(8);
    }

    @Test
    void packsNothingIntoNothing() {
        DeviceMatrix packed = rig.empty(DType.I32, 4, 0);
        rig.pack().packWeights(rig.empty(DType.U8, 0, 32), rig.integers(1, 32, new int[32]), 4, packed);
        DeviceMatrix packedZeros = rig.empty(DType.I32, 0, 4);
        rig.pack().packZeros(rig.empty(DType.U8, 0, 32), 1, 4, packedZeros);

        assertThat(rig.integersOf(packed)).isEmpty();
        assertThat(rig.integersOf(packedZeros)).isEmpty();
    }

    private GptqBlock block(int rows, int width, int groupSize) {
        return new GptqBlock(
                rig.empty(DType.F32, rows, width),
                rig.empty(DType.F32, rows, width),
                rig.empty(DType.F32, width, width),
                new BlockCodes.Bytes(rig.empty(DType.U8, rows, width)),
                rig.empty(DType.F16, 1, rows),
                rig.empty(DType.U8, 1, rows),
                rig.integers(1, width, new int[width]),
                groupSize,
                rig.empty(DType.F32, 1, rows));
    }

    private static void assertRefused(ThrowingCallable action, String problem) {
        assertThatThrownBy(action).isInstanceOf(IllegalArgumentException.class).hasMessageContaining(problem);
    }
}
