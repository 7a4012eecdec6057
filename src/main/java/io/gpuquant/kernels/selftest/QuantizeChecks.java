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
                                new FindGrids(17, 33, 2, new QuantizationGrid(4, false, 1, Search.MSE)),
                                new FindGrids(9, 128, 1, new QuantizationGrid(2, true, 0, Search.MSE)),
                                new FindGrids(9, 24, 2, new QuantizationGrid(4, false, 0, Search.MIN_MAX, true)))),
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
            DeviceMatrix weights = weights(bench, Layout.window(rows, groups * groupSize));
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
                            scales(bench, DType.F16, grids),
                            bench.codes(grids, 1 << bits),
                            bench.integers(bench.below(matrix.columns(), groups)),
                            new QuantizationGrid(bits, false, 0, Search.MIN_MAX));
            return List.of(bench.read("errors", weights), bench.read("codes", codes));
        }
    }

    /**
     * Weights of all sorts: of eight rows one is zero, one of positive and one of negative numbers only, one needs a scale
     * above the largest float16 and one a scale below the least, one has an outlier; two are like those of a model.
     */
    static DeviceMatrix weights(Bench bench, Layout layout) {
        float[] values = bench.gaussian(layout.elements(), 0.02);
        for (int row = 0; row < layout.rows(); row++) {
            for (int column = 0; column < layout.columns(); column++) {
                int at = layout.index(row, column);
                values[at] = switch (row % 8) {
                    case 1 -> 0;
                    case 2 -> Math.abs(values[at]);
                    case 3 -> -Math.abs(values[at]);
                    case 4 -> values[at] * 1e9f;
                    case 5 -> values[at] * 1e-9f;
                    case 6 -> column == layout.columns() / 2 ? 1 : values[at];
                    default -> values[at];
                };
            }
        }
        return bench.matrix(DType.F32, layout, values);
    }

    /** Scales that are not alike. */
    static DeviceMatrix scales(Bench bench, DType dtype, Layout layout) {
        float[] values = new float[layout.elements()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) bench.random().nextDouble(0.002, 0.02);
        }
        return bench.matrix(dtype, layout, values);
    }
}
