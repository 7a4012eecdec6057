package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.QuantizationGrid.Search;
import io.gpuquant.tensor.DType;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Class A against a plain float32 loop: every operation is rounded to nearest in a fixed order, so kernel, twin and oracle
 * agree to the last bit.
 */
class GptqBlockTest {

    /** What a block leaves behind. */
    @SuppressWarnings("ArrayRecordComponent") // Arrays are compared element by element.
    record Result(float[] errors, byte[] codes, short[] scales, byte[] zeros, float[] loss) {}

    /** A block to quantize; scales and zeros are those given where the group size is zero, and of no account otherwise. */
    @SuppressWarnings("ArrayRecordComponent") // Arrays are compared element by element.
    record Case(
            int rows,
            int width,
            int groupSize,
            QuantizationGrid grid,
            float[] weights,
            float[] state,
            float[] inverse,
            int[] groups,
            short[] scales,
            byte[] zeros) {

        static Case random(int rows, int width, int groupSize, QuantizationGrid grid) {
            SplittableRandom random = new SplittableRandom(rows * 1000L + width * 7L + groupSize);
            float[] weights = Matrices.normal(random, rows * width, 0.02);
            float[] state = weights.clone();
            for (int i = 0; i < state.length; i++) {
                state[i] += (float) (0.01 * random.nextGaussian());
            }
            int groupCount = groupSize > 0 ? width / groupSize + 2 : 5;
            // Group rows in descending order, so that a mix-up of column and group shows.
            int[] groups = IntStream.range(0, width)
                    .map(column -> groupSize > 0 ? groupCount - 1 - column / groupSize : random.nextInt(groupCount))
                    .toArray();
            short[] scales = new short[groupCount * rows];
            byte[] zeros = new byte[groupCount * rows];
            for (int i = 0; i < scales.length; i++) {
                scales[i] = Float.floatToFloat16((float) random.nextDouble(0.002, 0.02));
                zeros[i] = (byte) random.nextInt(grid.largestCode() + 1);
            }
            return new Case(
                    rows, width, groupSize, grid, weights, state, inverse(random, width), groups, scales, zeros);
        }

        /** An upper triangle with a strong coupling to the columns nearby. */
        private static float[] inverse(SplittableRandom random, int width) {
            float[] inverse = new float[width * width];
            for (int i = 0; i < width; i++) {
                inverse[i * width + i] = (float) random.nextDouble(0.5, 4);
                for (int c = i + 1; c < width; c++) {
                    inverse[i * width + c] = (float) (random.nextGaussian() / (1 + 0.3 * (c - i)));
                }
            }
            return inverse;
        }

        int groupCount() {
            return scales.length / rows;
        }
    }

    @ParameterizedTest
    @CsvSource({
        // rows, width, group size, bits, symmetric, smallest zero, search
        "1, 1, 1, 4, true, 0, MIN_MAX",
        "33, 31, 31, 4, true, 0, MIN_MAX",
        "5, 21, 3, 4, false, 1, MSE",
        "3, 127, 127, 3, false, 0, MIN_MAX",
        "9, 128, 128, 4, true, 0, MIN_MAX",
        "2, 64, 32, 4, false, 1, MSE",
        "4, 96, 48, 2, false, 1, MIN_MAX",
        "3, 64, 64, 8, true, 0, MSE",
        "2, 12, 12, 4, false, 0, MSE",
        "6, 20, 1, 4, true, 0, MIN_MAX",
        "32, 40, 40, 4, true, 0, MIN_MAX"
    })
    void findsGridsOfGroupsAsTheirTurnComes(
            int rows, int width, int groupSize, int bits, boolean symmetric, int smallestZero, Search search) {
        QuantizationGrid grid = new QuantizationGrid(bits, symmetric, smallestZero, search);
        Case block = Case.random(rows, width, groupSize, grid);

        KernelRig.assertSame("block", quantize(block), oracle(block));
    }

    @ParameterizedTest
    @CsvSource({"true, 0, MIN_MAX", "false, 1, MSE"})
    void findsScalesThatBf16HoldsToo(boolean symmetric, int smallestZero, Search search) {
        Case block = Case.random(5, 32, 16, new QuantizationGrid(4, symmetric, smallestZero, search, true));

        KernelRig.assertSame("block", quantize(block), oracle(block));
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 4", "33, 31, 3", "5, 127, 8", "9, 128, 4", "2, 40, 2"})
    void takesGivenGridsThatChangeFromColumnToColumn(int rows, int width, int bits) {
        QuantizationGrid grid = new QuantizationGrid(bits, false, 0, Search.MIN_MAX);
        Case block = Case.random(rows, width, 0, grid);

        Result result = quantize(block);
        KernelRig.assertSame("block", result, oracle(block));
        assertThat(result.scales).isEqualTo(block.scales);
        assertThat(result.zeros).isEqualTo(block.zeros);
    }

    /** The kernels of both shapes against the same oracle, so that they agree to the last bit. */
    @ParameterizedTest
    @CsvSource({
        // rows, width, group size, bits, symmetric, smallest zero
        "1, 1, 1, 4, true, 0",
        "33, 31, 31, 4, false, 1",
        "130, 47, 47, 3, false, 0",
        "5, 127, 127, 4, false, 1",
        "9, 128, 128, 4, true, 0",
        "40, 96, 96, 2, false, 1",
        "129, 20, 0, 8, false, 0",
        "3, 128, 0, 4, true, 0"
    })
    void givesAThreadToEachRow(int rows, int width, int groupSize, int bits, boolean symmetric, int smallestZero) {
        QuantizationGrid grid = new QuantizationGrid(bits, symmetric, smallestZero, Search.MIN_MAX);
        Case block = Case.random(rows, width, groupSize, grid);

        Result result = KernelRig.kernelsAndTwins(rig -> quantize(rig, block, GptqShape.THREAD_PER_ROW));
        KernelRig.assertSame("block", result, oracle(block));
    }

    @ParameterizedTest
    @CsvSource({
        "16895, 128, MIN_MAX, 132, EIGHT_LANES_PER_ROW",
        "16896, 128, MIN_MAX, 132, THREAD_PER_ROW",
        "16896, 0, MSE, 132, THREAD_PER_ROW",
        "16896, 128, MSE, 132, EIGHT_LANES_PER_ROW",
        "16896, 64, MIN_MAX, 132, EIGHT_LANES_PER_ROW",
        "256, 128, MIN_MAX, 2, THREAD_PER_ROW"
    })
    void givesAThreadToEachOfManyRowsOfOneGroupOnly(
            int rows, int groupSize, Search search, int multiprocessors, GptqShape shape) {
        QuantizationGrid grid = new QuantizationGrid(4, true, 0, search);
        GptqBlock block = unallocated(rows, groupSize);

        assertThat(GptqShape.of(block, grid, multiprocessors)).isEqualTo(shape);
        LaunchRecorder stream = new LaunchRecorder();
        new QuantizeKernels(stream).gptqBlock(block, grid, shape);
        assertThat(stream.launches())
                .singleElement()
                .extracting(launch -> launch.kernel().name())
                .isEqualTo(shape == GptqShape.THREAD_PER_ROW ? "gptq_block_rows" : "gptq_block");
    }

    @Test
    void refusesSmallGroupsWithAThreadToEachRow() {
        QuantizeKernels kernels = new QuantizeKernels(new LaunchRecorder());
        QuantizationGrid grid = new QuantizationGrid(4, true, 0, Search.MIN_MAX);

        assertThatIllegalArgumentException()
                .isThrownBy(() -> kernels.gptqBlock(unallocated(8, 64), grid, GptqShape.THREAD_PER_ROW))
                .withMessageContaining("groups of 64 in a block of 128");
    }

    /** A block of 128 columns that is nowhere. */
    private static GptqBlock unallocated(int rows, int groupSize) {
        return new GptqBlock(
                unallocated(DType.F32, rows, 128),
                unallocated(DType.F32, rows, 128),
                unallocated(DType.F32, 128, 128),
                new BlockCodes.Bytes(unallocated(DType.U8, rows, 128)),
                unallocated(DType.F16, 2, rows),
                unallocated(DType.U8, 2, rows),
                unallocated(DType.I32, 1, 128),
                groupSize,
                unallocated(DType.F32, 1, rows));
    }

    private static DeviceMatrix unallocated(DType dtype, int rows, int columns) {
        return DeviceMatrix.of(
                new DeviceBuffer("nothing", 4096, dtype.bytes((long) rows * columns), () -> {}), dtype, rows, columns);
    }

    @Test
    void findsInItsFirstGroupWhatFindGridsFinds() {
        QuantizationGrid grid = new QuantizationGrid(4, false, 1, Search.MSE);
        Case block = Case.random(5, 48, 24, grid);
        float[] first = new float[5 * 24];
        for (int row = 0; row < 5; row++) {
            System.arraycopy(block.state, row * 48, first, row * 24, 24);
        }
        short[] alone = KernelRig.kernelsAndTwins(rig -> {
            DeviceMatrix scales = rig.empty(DType.F16, 1, 5);
            DeviceMatrix zeros = rig.empty(DType.U8, 1, 5);
            rig.quantize().findGrids(rig.floats(5, 24, first), 24, grid, scales, zeros);
            return rig.halvesOf(scales);
        });
        int row = block.groups[0] * 5;
        assertThat(Arrays.copyOfRange(quantize(block).scales, row, row + 5)).isEqualTo(alone);
    }

    @Test
    void searchGoesDownToAFifthOfTheRange() {
        QuantizationGrid grid = new QuantizationGrid(2, true, 0, Search.MSE);
        Case block = Case.random(1, 128, 128, grid);
        SplittableRandom random = new SplittableRandom(6);
        for (int i = 0; i < 128; i++) {
            block.state[i] = (float) random.nextDouble(-0.17, 0.17);
        }
        block.state[77] = 1;
        Result result = quantize(block);

        KernelRig.assertSame("block", result, oracle(block));
        assertThat(result.scales[block.groups[0]]).isEqualTo(Float.floatToFloat16(2 * (21 / 100f) / 3));
    }

    @Test
    void staysWithinAFewRoundingsOfAFloat64Loop() {
        // Error feedback is chaotic: a rounding that tips one code changes all columns after it. With codes so fine
        // that
        // nothing tips, the state keeps the relative accuracy of 128 fused multiply-adds.
        Case block = Case.random(7, 128, 0, new QuantizationGrid(8, true, 0, Search.MIN_MAX));
        Arrays.fill(block.zeros, (byte) 128);
        Result result = quantize(block);

        double[] loss = new double[7];
        int differing = 0;
        for (int row = 0; row < 7; row++) {
            double[] state = new double[128];
            for (int i = 0; i < 128; i++) {
                state[i] = block.state[row * 128 + i];
            }
            for (int i = 0; i < 128; i++) {
                int at = block.groups[i] * 7 + row;
                double scale = Float.float16ToFloat(block.scales[at]);
                int code = (int) Math.clamp(Math.rint(state[i] / scale) + 128, 0, 255);
                differing += code == Byte.toUnsignedInt(result.codes[row * 128 + i]) ? 0 : 1;
                double error = (state[i] - scale * (code - 128)) / block.inverse[i * 128 + i];
                for (int c = i + 1; c < 128; c++) {
                    state[c] -= error * block.inverse[i * 128 + c];
                }
                loss[row] += error * error;
            }
        }
        assertThat(differing).isLessThanOrEqualTo(7 * 128 / 100);
        for (int row = 0; row < 7; row++) {
            assertThat((double) result.loss[row]).isCloseTo(1 + loss[row], within(0.02 * loss[row]));
        }
    }

    @Test
    void keepsCodesInRangeAndOtherRowsUnharmedWhereAStateIsNotANumber() {
        Case block = Case.random(5, 40, 8, new QuantizationGrid(3, false, 1, Search.MSE));
        Case healthy = Case.random(5, 40, 8, block.grid);
        block.state[40 + 3] = Float.NaN;
        block.state[2 * 40 + 9] = Float.POSITIVE_INFINITY;
        block.state[3 * 40] = -3e38f;
        // What becomes of the other columns of a row with such a state is not specified; twin and kernel differ in it.
        Result result = KernelRig.everywhere(rig -> quantize(rig, block));
        Result expected = oracle(healthy);

        for (byte code : result.codes) {
            assertThat(code).isBetween((byte) 0, (byte) 7);
        }
        for (short scale : result.scales) {
            assertThat(Float.float16ToFloat(scale)).isBetween(Math.scalb(1f, -24), 65504f);
        }
        assertThat(Arrays.copyOf(result.codes, 40)).isEqualTo(Arrays.copyOf(expected.codes, 40));
        assertThat(Arrays.copyOfRange(result.errors, 160, 200))
                .isEqualTo(Arrays.copyOfRange(expected.errors, 160, 200));
        assertThat(result.loss[1]).isNaN();
    }

    private static Result quantize(Case block) {
        return KernelRig.kernelsAndTwins(rig -> quantize(rig, block));
    }

    private static Result quantize(KernelRig rig, Case block) {
        return quantize(rig, block, GptqShape.EIGHT_LANES_PER_ROW);
    }

    private static Result quantize(KernelRig rig, Case block, GptqShape shape) {
        int rows = block.rows;
        int width = block.width;
        DeviceMatrix weights = rig.window(rows, width, 5, width + 3, block.weights);
        DeviceMatrix codes = rig.emptyWindow(DType.U8, rows, width, 2, width + 1);
        DeviceMatrix scales = rig.halves(block.groupCount(), rows, block.scales);
        DeviceMatrix zeros = rig.bytes(block.groupCount(), rows, block.zeros);
        float[] ones = new float[rows];
        Arrays.fill(ones, 1);
        DeviceMatrix loss = rig.floats(1, rows, ones);
        rig.quantize()
                .gptqBlock(
                        new GptqBlock(
                                weights,
                                rig.floats(rows, width, block.state),
                                rig.floats(width, width, block.inverse),
                                new BlockCodes.Bytes(codes),
                                scales,
                                zeros,
                                rig.integers(1, width, block.groups),
                                block.groupSize,
                                loss),
                        block.grid,
                        shape);
        rig.requireUntouchedAround(weights);
        rig.requireUntouchedAround(codes);
        return new Result(
                rig.floatsOf(weights),
                rig.bytesOf(codes),
                rig.halvesOf(scales),
                rig.bytesOf(zeros),
                rig.floatsOf(loss));
    }

    static Result oracle(Case block) {
        int rows = block.rows;
        int width = block.width;
        Result result = new Result(
                block.weights.clone(),
                new byte[rows * width],
                block.scales.clone(),
                block.zeros.clone(),
                new float[rows]);
        for (int row = 0; row < rows; row++) {
            float[] state = Arrays.copyOfRange(block.state, row * width, row * width + width);
            float[] parts = new float[8];
            for (int i = 0; i < width; i++) {
                int at = block.groups[i] * rows + row;
                if (block.groupSize > 0 && i % block.groupSize == 0) {
                    GridOracle found = GridOracle.of(Arrays.copyOfRange(state, i, i + block.groupSize), block.grid);
                    result.scales[at] = found.scaleBits();
                    result.zeros[at] = (byte) found.zero();
                }
                GridOracle grid = new GridOracle(
                        result.scales[at], Byte.toUnsignedInt(result.zeros[at]), block.grid.largestCode());
                int code = grid.code(state[i]);
                result.codes[row * width + i] = (byte) code;
                result.errors[row * width + i] -= grid.value(code);
                float error = grid.error(state[i]) * (1 / block.inverse[i * width + i]);
                for (int c = i + 1; c < width; c++) {
                    state[c] = Math.fma(-error, block.inverse[i * width + c], state[c]);
                }
                parts[i % 8] = Math.fma(error, error, parts[i % 8]);
            }
            result.loss[row] = 1 + GridOracle.sumOfParts(parts);
        }
        return result;
    }
}
