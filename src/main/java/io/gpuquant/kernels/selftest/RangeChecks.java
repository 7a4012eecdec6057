package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.RangeKernels;
import io.gpuquant.kernels.RangeKernels.Rule;
import io.gpuquant.kernels.Tile;
import io.gpuquant.tensor.DType;
import java.util.List;

/** Cases for {@code ranges.ptx}. */
final class RangeChecks {

    private static final float TENTH = 0.1f;

    private RangeChecks() {}

    static List<Check> all() {
        return List.of(
                Check.exact(
                        "tile_absmax",
                        List.of(
                                new TileAbsmax(DType.F32, Layout.dense(1, 1), Tile.WHOLE),
                                new TileAbsmax(DType.F16, Layout.window(33, 31), new Tile(4, 5)),
                                new TileAbsmax(DType.BF16, Layout.aligned(9, 132), Tile.row(16)),
                                new TileAbsmax(DType.BF16, Layout.dense(300, 270), new Tile(128, 128)))),
                Check.exact(
                        "column_absmax",
                        List.of(
                                new ColumnAbsmax(DType.F32, Layout.dense(1, 1)),
                                new ColumnAbsmax(DType.F16, Layout.window(150, 31)),
                                new ColumnAbsmax(DType.BF16, Layout.aligned(70, 300)))),
                Check.exact(
                        "tile_scales",
                        List.of(
                                new TileScales(1, Rule.QUOTIENT, DType.F32),
                                new TileScales(300, Rule.QUOTIENT_OR_EPSILON, DType.F16),
                                new TileScales(300, Rule.QUOTIENT_OR_EPSILON, DType.BF16),
                                new TileScales(300, Rule.INVERSE, DType.F32))));
    }

    record TileAbsmax(DType type, Layout matrix, Tile tile) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix values = bench.gaussian(type, matrix, 1);
            DeviceMatrix maxima = bench.blank(DType.F32, Layout.dense(tile.down(values), tile.across(values)));
            new RangeKernels(bench.stream()).tileAbsmax(values, tile, TENTH, maxima);
            return List.of(bench.read("maxima", maxima));
        }
    }

    record ColumnAbsmax(DType type, Layout matrix) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            float[] before = bench.gaussian(matrix.columns(), 1);
            for (int i = 0; i < before.length; i++) {
                before[i] = Math.abs(before[i]);
            }
            DeviceMatrix maxima = bench.matrix(DType.F32, Layout.dense(1, matrix.columns()), before);
            new RangeKernels(bench.stream()).raiseToColumns(bench.gaussian(type, matrix, 10), maxima);
            return List.of(bench.read("maxima", maxima));
        }
    }

    record TileScales(int count, Rule rule, DType rounding) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            Layout layout = Layout.dense(1, count);
            float[] maxima = bench.wide(count);
            for (int i = 0; i < count; i++) {
                maxima[i] = i % 7 == 3 ? 0 : Math.abs(maxima[i]);
            }
            DeviceMatrix scales = bench.blank(DType.F32, layout);
            new RangeKernels(bench.stream())
                    .scales(bench.matrix(DType.F32, layout, maxima), rule, 448, rounding, scales);
            return List.of(bench.read("scales", scales));
        }
    }
}
