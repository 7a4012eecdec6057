package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.kernels.QuantizationGrid.Search;
import io.gpuquant.kernels.QuantizeKernels;
import io.gpuquant.tensor.DType;
import java.util.List;

/** Cases for {@code quantize.ptx}. */
final class QuantizeChecks {

    private QuantizeChecks() {}

    static List<Check> all() {
        return List.of(
                Check.exact(
                        "find_grids",
                        List.of(
                                new FindGrids(1, 1, 1, new QuantizationGrid(4, true, 0, Search.MIN_MAX)),
                                new FindGrids(33, 31, 2, new QuantizationGrid(3, false, 0, Search.MIN_MAX)),
                                new FindGrids(35, 128, 3, new QuantizationGrid(4, true, 0, Search.MIN_MAX)),
                                new FindGrids(9, 64, 2, new QuantizationGrid(8, false, 1, Search.MIN_MAX)),
                                new FindGrids(5, 33, 2, new QuantizationGrid(4, false, 1, Search.MSE)),
                                new FindGrids(4, 128, 1, new QuantizationGrid(2, true, 0, Search.MSE)))),
                Check.exact(
                        "round_to_grid",
                        List.of(
                                new Round(4, Layout.dense(1, 1)),
                                new Round(2, Layout.window(31, 33)),
                                new Round(3, Layout.aligned(9, 132)),
                                new Round(8, Layout.dense(70, 516)))));
    }

    record FindGrids(int rows, int groupSize, int groups, QuantizationGrid grid) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix weights = bench.gaussian(DType.F32, Layout.window(rows, groups * groupSize), 0.02);
            DeviceMatrix scales = bench.blank(DType.F16, Layout.window(groups, rows));
            DeviceMatrix zeros = bench.blank(DType.U8, Layout.window(groups, rows));
            new QuantizeKernels(bench.stream()).findGrids(weights, groupSize, grid, scales, zeros);
            return List.of(bench.read("scales", scales), bench.read("zeros", zeros));
        }
    }

    record Round(int bits, Layout matrix) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            int groups = 3;
            Layout grids = Layout.window(groups, matrix.rows());
            DeviceMatrix weights = bench.gaussian(DType.F32, matrix, 0.05);
            DeviceMatrix codes = bench.blank(DType.U8, matrix);
            new QuantizeKernels(bench.stream())
                    .round(
                            weights,
                            codes,
                            scales(bench, grids),
                            bench.codes(grids, 1 << bits),
                            bench.integers(bench.below(matrix.columns(), groups)),
                            new QuantizationGrid(bits, false, 0, Search.MIN_MAX));
            return List.of(bench.read("errors", weights), bench.read("codes", codes));
        }
    }

    /** Scales that are not alike. */
    static DeviceMatrix scales(Bench bench, Layout layout) {
        float[] values = new float[layout.elements()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) bench.random().nextDouble(0.002, 0.02);
        }
        return bench.matrix(DType.F16, layout, values);
    }
}
