package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.BlockCodes;
import io.gpuquant.kernels.GptqBlock;
import io.gpuquant.kernels.GptqShape;
import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.kernels.QuantizationGrid.Search;
import io.gpuquant.kernels.QuantizeKernels;
import io.gpuquant.tensor.DType;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** Cases for {@code gptq.ptx}. */
final class GptqChecks {

    private GptqChecks() {}

    static List<Check> all() {
        GptqShape lanes = GptqShape.EIGHT_LANES_PER_ROW;
        GptqShape threads = GptqShape.THREAD_PER_ROW;
        return List.of(
                Check.exact(
                        "gptq_block",
                        List.of(
                                new Block(1, 1, 1, new QuantizationGrid(4, true, 0, Search.MIN_MAX), lanes),
                                new Block(33, 31, 31, new QuantizationGrid(4, true, 0, Search.MIN_MAX), lanes),
                                new Block(17, 21, 3, new QuantizationGrid(4, false, 1, Search.MSE), lanes),
                                new Block(40, 128, 128, new QuantizationGrid(4, true, 0, Search.MIN_MAX), lanes),
                                new PackedBlock(40, 128, 64, new QuantizationGrid(4, true, 0, Search.MIN_MAX), lanes),
                                new PackedBlock(5, 96, 96, new QuantizationGrid(3, false, 1, Search.MIN_MAX), lanes),
                                new PackedBlock(34, 64, 0, new QuantizationGrid(8, false, 0, Search.MIN_MAX), lanes),
                                new Block(9, 96, 48, new QuantizationGrid(3, false, 1, Search.MIN_MAX), lanes),
                                new Block(9, 64, 32, new QuantizationGrid(4, false, 0, Search.MSE), lanes),
                                new Block(9, 32, 16, new QuantizationGrid(4, true, 0, Search.MIN_MAX, true), lanes),
                                new Block(5, 127, 0, new QuantizationGrid(8, false, 0, Search.MIN_MAX), lanes),
                                new Block(34, 128, 0, new QuantizationGrid(2, false, 1, Search.MIN_MAX), lanes))),
                Check.exact(
                        "gptq_block_rows",
                        List.of(
                                new Block(1, 1, 1, new QuantizationGrid(4, true, 0, Search.MIN_MAX), threads),
                                new Block(130, 128, 128, new QuantizationGrid(4, true, 0, Search.MIN_MAX), threads),
                                new PackedBlock(
                                        130, 128, 128, new QuantizationGrid(4, true, 0, Search.MIN_MAX), threads),
                                new PackedBlock(5, 96, 96, new QuantizationGrid(3, false, 1, Search.MIN_MAX), threads),
                                new PackedBlock(34, 64, 0, new QuantizationGrid(8, false, 0, Search.MIN_MAX), threads),
                                new Block(33, 47, 47, new QuantizationGrid(3, false, 1, Search.MIN_MAX), threads),
                                new Block(5, 127, 0, new QuantizationGrid(8, false, 0, Search.MIN_MAX), threads))));
    }

    /** A block of which the grids are given where the group size is zero, with a byte for each code. */
    record Block(int rows, int width, int groupSize, QuantizationGrid grid, GptqShape shape) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix codes = bench.blank(DType.U8, Layout.window(rows, width));
            return block(bench, this, new BlockCodes.Bytes(codes), codes);
        }
    }

    /** The same, with the codes in the words of two linears, of which the block has some pieces in another order. */
    record PackedBlock(int rows, int width, int groupSize, QuantizationGrid grid, GptqShape shape) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            int piece = BlockCodes.Words.PIECE;
            int pieces = width / piece + 1;
            DeviceMatrix words = bench.blank(DType.I32, Layout.dense(1, rows * pieces * grid.bits()));
            BlockCodes codes = new BlockCodes.Words(
                    words,
                    grid.bits(),
                    bench.integers(Arrays.stream(bench.permutation(width))
                            .map(place -> place * grid.bits())
                            .toArray()),
                    bench.integers(Arrays.copyOf(bench.permutation(pieces), width / piece)),
                    bench.integers(new int[] {0, rows / 3, rows}));
            return block(bench, new Block(rows, width, groupSize, grid, shape), codes, words);
        }
    }

    private static List<Output> block(Bench bench, Block block, BlockCodes codes, DeviceMatrix written) {
        int rows = block.rows();
        int width = block.width();
        int size = block.groupSize();
        int groups = size > 0 ? width / size : 5;
        int[] groupOf = size > 0
                ? IntStream.range(0, width)
                        .map(column -> groups - 1 - column / size)
                        .toArray()
                : bench.below(width, groups);
        DeviceMatrix weights = bench.gaussian(DType.F32, Layout.window(rows, width), 0.02);
        DeviceMatrix state = QuantizeChecks.weights(bench, Layout.dense(rows, width));
        DeviceMatrix scales = QuantizeChecks.scales(bench, DType.F16, Layout.window(groups, rows));
        DeviceMatrix zeros =
                bench.codes(Layout.window(groups, rows), block.grid().largestCode() + 1);
        DeviceMatrix loss = bench.gaussian(DType.F32, Layout.dense(1, rows), 1);
        new QuantizeKernels(bench.stream())
                .gptqBlock(
                        new GptqBlock(
                                weights,
                                state,
                                bench.matrix(DType.F32, Layout.dense(width, width), inverse(bench, width)),
                                codes,
                                scales,
                                zeros,
                                bench.integers(groupOf),
                                size,
                                loss),
                        block.grid(),
                        block.shape());
        return List.of(
                bench.read("errors", weights),
                bench.read("codes", written),
                bench.read("scales", scales),
                bench.read("zeros", zeros),
                bench.read("loss", loss));
    }

    /** An upper triangle with a strong coupling to the columns nearby. */
    private static float[] inverse(Bench bench, int width) {
        float[] inverse = new float[width * width];
        for (int i = 0; i < width; i++) {
            inverse[i * width + i] = (float) bench.random().nextDouble(0.5, 4);
            for (int j = i + 1; j < width; j++) {
                inverse[i * width + j] = (float) (bench.random().nextGaussian() / (1 + 0.3 * (j - i)));
            }
        }
        return inverse;
    }
}
