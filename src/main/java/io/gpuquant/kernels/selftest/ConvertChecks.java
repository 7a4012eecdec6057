package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Cases for {@code convert.ptx}. */
final class ConvertChecks {

    private ConvertChecks() {}

    static List<Check> all() {
        List<Case> conversions = new ArrayList<>();
        for (DType from : Cases.TYPES) {
            for (DType to : Cases.TYPES) {
                conversions.add(new Convert(from, to, Layout.window(33, 31), Layout.dense(33, 31)));
                conversions.add(new Convert(from, to, Layout.aligned(9, 132), Layout.aligned(9, 132)));
            }
        }
        conversions.add(new Convert(DType.F32, DType.BF16, Layout.dense(37, 1100), Layout.dense(37, 1100)));
        List<Case> copies = new ArrayList<>();
        for (DType type : List.of(DType.U8, DType.BF16, DType.F32, DType.F64)) {
            for (Layout shape : Layout.SHAPES) {
                copies.add(new Copy(type, shape, shape.dense()));
                if (!shape.equals(shape.dense())) {
                    copies.add(new Copy(type, shape, shape));
                }
            }
        }
        return List.of(
                Check.exact("convert", conversions),
                Check.exact("copy_window", copies),
                Check.exact("gather_columns", Cases.forTypesAndShapes(GatherColumns::new, Layout.dense(37, 1100))));
    }

    record Convert(DType from, DType to, Layout source, Layout target) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix values = bench.matrix(from, source, bench.wide(source.elements()));
            DeviceMatrix result = bench.blank(to, target);
            new ConvertKernels(bench.stream()).convert(values, result);
            return List.of(bench.read("result", result));
        }
    }

    record Copy(DType type, Layout source, Layout target) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            byte[] bytes = new byte[(int) type.bytes(source.elements())];
            bench.random().nextBytes(bytes);
            DeviceMatrix values = bench.matrix(type, source, MemorySegment.ofArray(bytes));
            DeviceMatrix result = bench.blank(type, target);
            new ConvertKernels(bench.stream()).copy(values, result);
            return List.of(bench.read("result", result));
        }
    }

    record GatherColumns(DType from, Layout source) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix values = bench.gaussian(from, source, 1);
            int[] order = bench.below(source.columns() + 4, source.columns());
            DeviceMatrix result = bench.blank(DType.F32, Layout.aligned(source.rows(), order.length));
            new ConvertKernels(bench.stream()).gatherColumns(values, bench.integers(order), result);
            return List.of(bench.read("result", result));
        }
    }
}
