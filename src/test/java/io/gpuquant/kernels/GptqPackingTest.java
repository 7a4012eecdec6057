package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.GptqBlockTest.Case;
import io.gpuquant.kernels.GptqBlockTest.Result;
import io.gpuquant.kernels.QuantizationGrid.Search;
import io.gpuquant.tensor.DType;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The loop of GPTQ that leaves words of a checkpoint, against a loop over single bits of the codes that the oracle finds. */
class GptqPackingTest {

    private static final int PIECE = BlockCodes.Words.PIECE;

    /**
     * Which words the columns of a block are in.
     *
     * @param features by column, the input feature, out of 160
     * @param targets by column, the bit within the words of the block's pieces
     */
    @SuppressWarnings("ArrayRecordComponent") // Arrays are shared, never changed.
    private record Order(int[] features, int[] targets, int[] pieces) {

        private static final int ALL_PIECES = 5;

        /** Some of five pieces, in any order, and their features mixed. */
        static Order random(int width, int bits) {
            SplittableRandom random = new SplittableRandom(width + bits);
            int[] pieces = PackKernelsTest.shuffled(random, ALL_PIECES);
            int[] places = PackKernelsTest.shuffled(random, width);
            return new Order(
                    Arrays.stream(places)
                            .map(place -> pieces[place / PIECE] * PIECE + place % PIECE)
                            .toArray(),
                    Arrays.stream(places).map(place -> place * bits).toArray(),
                    Arrays.copyOf(pieces, width / PIECE));
        }
    }

    /** What a packed block leaves behind. */
    @SuppressWarnings("ArrayRecordComponent") // Arrays are compared element by element.
    record Packed(int[] words, float[] errors, short[] scales, byte[] zeros, float[] loss) {}

    @ParameterizedTest
    @CsvSource({
        // shape, rows of the linears, width, group size, bits
        "EIGHT_LANES_PER_ROW, 1, 32, 32, 4",
        "EIGHT_LANES_PER_ROW, 7 30 1, 128, 128, 4",
        "EIGHT_LANES_PER_ROW, 33, 96, 48, 3",
        "EIGHT_LANES_PER_ROW, 3 2, 128, 64, 3",
        "EIGHT_LANES_PER_ROW, 32, 64, 0, 8",
        "EIGHT_LANES_PER_ROW, 2 3, 128, 0, 2",
        "THREAD_PER_ROW, 1, 32, 32, 4",
        "THREAD_PER_ROW, 100 20 10, 128, 128, 4",
        "THREAD_PER_ROW, 33, 96, 96, 3",
        "THREAD_PER_ROW, 3 2, 128, 128, 3",
        "THREAD_PER_ROW, 5, 128, 0, 8",
        "THREAD_PER_ROW, 2 3, 64, 0, 2"
    })
    void packsWhatTheLoopFinds(GptqShape shape, String linears, int width, int groupSize, int bits) {
        int[] outputs =
                Arrays.stream(linears.split(" ")).mapToInt(Integer::parseInt).toArray();
        QuantizationGrid grid = new QuantizationGrid(bits, false, 1, Search.MIN_MAX);
        Case block = Case.random(IntStream.of(outputs).sum(), width, groupSize, grid);
        Order order = Order.random(width, bits);

        Packed result = KernelRig.kernelsAndTwins(rig -> quantize(rig, block, order, outputs, shape));
        Result codes = GptqBlockTest.oracle(block);
        KernelRig.assertSame(
                "block",
                result,
                new Packed(
                        words(codes.codes(), order, outputs, bits),
                        codes.errors(),
                        codes.scales(),
                        codes.zeros(),
                        codes.loss()));
    }

    private static Packed quantize(KernelRig rig, Case block, Order order, int[] outputs, GptqShape shape) {
        int rows = block.rows();
        int width = block.width();
        int words = Order.ALL_PIECES * block.grid().bits();
        DeviceMatrix weights = rig.floats(rows, width, block.weights());
        DeviceMatrix packed = rig.integers(1, rows * words, new int[rows * words]);
        DeviceMatrix scales = rig.halves(block.groupCount(), rows, block.scales());
        DeviceMatrix zeros = rig.bytes(block.groupCount(), rows, block.zeros());
        float[] ones = new float[rows];
        Arrays.fill(ones, 1);
        DeviceMatrix loss = rig.floats(1, rows, ones);
        BlockCodes codes = new BlockCodes.Words(
                packed,
                block.grid().bits(),
                rig.integers(1, width, order.targets),
                rig.integers(1, width / PIECE, order.pieces),
                rig.integers(1, outputs.length + 1, ends(outputs)));
        rig.quantize()
                .gptqBlock(
                        new GptqBlock(
                                weights,
                                rig.floats(rows, width, block.state()),
                                rig.floats(width, width, block.inverse()),
                                codes,
                                scales,
                                zeros,
                                rig.integers(1, width, block.groups()),
                                block.groupSize(),
                                loss),
                        block.grid(),
                        shape);
        return new Packed(
                rig.integersOf(packed),
                rig.floatsOf(weights),
                rig.halvesOf(scales),
                rig.bytesOf(zeros),
                rig.floatsOf(loss));
    }

    private static int[] ends(int[] outputs) {
        int[] ends = new int[outputs.length + 1];
        for (int i = 0; i < outputs.length; i++) {
            ends[i + 1] = ends[i] + outputs[i];
        }
        return ends;
    }

    /** Bit by bit; zeros in words of features that are in other blocks. */
    private static int[] words(byte[] codes, Order order, int[] outputs, int bits) {
        int width = order.features.length;
        int words = Order.ALL_PIECES * bits;
        int[] result = new int[codes.length / width * words];
        int row = 0;
        for (int first : Arrays.copyOf(ends(outputs), outputs.length)) {
            int out = outputs[Arrays.binarySearch(ends(outputs), first)];
            for (int o = 0; o < out; o++, row++) {
                for (int bit = 0; bit < width * bits; bit++) {
                    int at = order.features[bit / bits] * bits + bit % bits;
                    int value = codes[row * width + bit / bits] >>> bit % bits & 1;
                    result[first * words + at / Integer.SIZE * out + o] |= value << at % Integer.SIZE;
                }
            }
        }
        return result;
    }

    @Test
    void refusesBlocksThatDoNotFillWordsAndTablesOutOfPlace() {
        try (KernelRig rig = KernelRig.fast()) {
            DeviceMatrix words = rig.empty(DType.I32, 1, 64);
            DeviceMatrix linears = rig.integers(1, 2, 0, 4);
            DeviceMatrix table = rig.empty(DType.I32, 1, 64);
            DeviceMatrix piece = rig.empty(DType.I32, 1, 1);

            assertThatIllegalArgumentException()
                    .isThrownBy(
                            () -> new BlockCodes.Words(words, 4, table.columns(0, 33), piece, linears).require(4, 33))
                    .withMessage("packing a block of 33 columns");
            assertThatIllegalArgumentException()
                    .isThrownBy(
                            () -> new BlockCodes.Words(words, 4, table.columns(1, 32), piece, linears).require(4, 32))
                    .withMessageContaining("not aligned to 16 bytes");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> new BlockCodes.Words(words, 4, table, piece, linears).require(4, 32))
                    .withMessageContaining("is not 1 x 32");
            assertThatIllegalArgumentException()
                    .isThrownBy(
                            () -> new BlockCodes.Words(words, 4, table.columns(0, 32), piece, linears).require(5, 32))
                    .withMessageContaining("is not 1 x 60");
            BlockCodes fits = new BlockCodes.Words(words, 4, table.columns(0, 32), piece, linears);
            fits.require(4, 32);
            assertThat(fits.wordBytesOfRow(32)).isEqualTo(16);
        }
    }
}
