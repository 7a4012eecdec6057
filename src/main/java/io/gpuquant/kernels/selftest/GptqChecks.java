package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.GptqBlock;
import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.kernels.QuantizationGrid.Search;
import io.gpuquant.kernels.QuantizeKernels;
import io.gpuquant.tensor.DType;
import java.util.List;
import java.util.stream.IntStream;

/** Cases for {@code gptq.ptx}. */
final class GptqChecks {

    private GptqChecks() {}

    static List<Check> all() {
        return List.of(Check.exact(
                "gptq_block",
                List.of(
                        new Block(1, 1, 1, new QuantizationGrid(4, true, 0, Search.MIN_MAX)),
                        new Block(33, 31, 31, new QuantizationGrid(4, true, 0, Search.MIN_MAX)),
                        new Block(17, 21, 3, new QuantizationGrid(4, false, 1, Search.MSE)),
                        new Block(40, 128, 128, new QuantizationGrid(4, true, 0, Search.MIN_MAX)),
                        new Block(9, 96, 48, new QuantizationGrid(3, false, 1, Search.MIN_MAX)),
                        new Block(9, 64, 32, new QuantizationGrid(4, false, 0, Search.MSE)),
                        new Block(9, 32, 16, new QuantizationGrid(4, true, 0, Search.MIN_MAX, true)),
                        new Block(5, 127, 0, new QuantizationGrid(8, false, 0, Search.MIN_MAX)),
                        new Block(34, 128, 0, new QuantizationGrid(2, false, 1, Search.MIN_MAX)))));
    }

    /** A block of which the grids are given where the group size is zero. */
    record Block(int rows, int width, int groupSize, QuantizationGrid grid) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            int groups = groupSize > 0 ? width / groupSize : 5;
            int[] groupOf = groupSize > 0
                    ? IntStream.range(0, width)
                            .map(column -> groups - 1 - column / groupSize)
                            .toArray()
                    : bench.below(width, groups);
            DeviceMatrix weights = bench.gaussian(DType.F32, Layout.window(rows, width), 0.02);
            DeviceMatrix state = QuantizeChecks.weights(bench, Layout.dense(rows, width));
            DeviceMatrix codes = bench.blank(DType.U8, Layout.window(rows, width));
            DeviceMatrix scales = QuantizeChecks.scales(bench, DType.F16, Layout.window(groups, rows));
            DeviceMatrix zeros = bench.codes(Layout.window(groups, rows), grid.largestCode() + 1);
            DeviceMatrix loss = bench.gaussian(DType.F32, Layout.dense(1, rows), 1);
            new QuantizeKernels(bench.stream())
                    .gptqBlock(
                            new GptqBlock(
                                    weights,
                                    state,
                                    bench.matrix(DType.F32, Layout.dense(width, width), inverse(bench)),
                                    codes,
                                    scales,
                                    zeros,
                                    bench.integers(groupOf),
                                    groupSize,
                                    loss),
                            grid);
            return List.of(
                    bench.read("errors", weights),
                    bench.read("codes", codes),
                    bench.read("scales", scales),
                    bench.read("zeros", zeros),
                    bench.read("loss", loss));
        }

        /** An upper triangle with a strong coupling to the columns nearby. */
        private float[] inverse(Bench bench) {
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
}
