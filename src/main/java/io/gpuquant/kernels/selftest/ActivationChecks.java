package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.ActivationKernels;
import io.gpuquant.tensor.DType;
import java.util.List;

/** Cases for {@code activation.ptx}. */
final class ActivationChecks {

    private ActivationChecks() {}

    static List<Check> all() {
        return List.of(
                Check.bounded(
                        "swiglu",
                        "2^-20 of the value, from 2 ulp of ex2.approx, and 1 ulp of the type",
                        Cases.forTypesAndShapes(Swiglu::new, Layout.dense(37, 1100))),
                Check.bounded(
                        "geglu_tanh",
                        "2^-20 of the value, from 2 ulp of ex2.approx, and 1 ulp of the type",
                        Cases.forTypesAndShapes(Geglu::new, Layout.dense(37, 1100))),
                Check.exact("add_bias", Cases.forTypesAndShapes(AddBias::new, Layout.dense(37, 1100))),
                Check.exact(
                        "residual_add",
                        List.of(
                                new ResidualAdd(Layout.dense(1, 1)),
                                new ResidualAdd(Layout.dense(33, 31)),
                                new ResidualAdd(new Layout(4, 64, 1, 64)),
                                new ResidualAdd(Layout.dense(37, 1100)))),
                Check.bounded(
                        "soft_cap",
                        "2^-20 of the value, from 2 ulp of ex2.approx",
                        List.of(
                                new SoftCap(Layout.dense(1, 1), 30),
                                new SoftCap(Layout.dense(33, 31), 0.5f),
                                new SoftCap(Layout.dense(37, 1100), 30))));
    }

    record Swiglu(DType out, Layout in) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix gate = bench.gaussian(DType.F32, in, 8);
            DeviceMatrix up = bench.gaussian(DType.F32, in, 3);
            DeviceMatrix result = bench.blank(out, in.dense());
            new ActivationKernels(bench.stream()).swiglu(gate, up, result);
            return List.of(bench.read("result", result).within(Tolerance.of(0x1p-20, 1e-36, out)));
        }
    }

    record Geglu(DType out, Layout in) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix gate = bench.gaussian(DType.F32, in, 3);
            DeviceMatrix up = bench.gaussian(DType.F32, in, 3);
            DeviceMatrix result = bench.blank(out, in.dense());
            new ActivationKernels(bench.stream()).gegluTanh(gate, up, result);
            return List.of(bench.read("result", result).within(Tolerance.of(0x1p-20, 1e-36, out)));
        }
    }

    record SoftCap(Layout layout, float cap) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix x = bench.gaussian(DType.F32, layout, 40);
            new ActivationKernels(bench.stream()).softCap(x, cap);
            return List.of(bench.read("x", x).within(Tolerance.of(0x1p-20, 1e-36, DType.F32)));
        }
    }

    record AddBias(DType bias, Layout matrix) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix sum = bench.gaussian(DType.F32, matrix, 1);
            DeviceMatrix row = bench.gaussian(bias, Layout.dense(1, matrix.columns()), 1);
            new ActivationKernels(bench.stream()).addBias(sum, row);
            return List.of(bench.read("sum", sum));
        }
    }

    record ResidualAdd(Layout matrix) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix hidden = bench.gaussian(DType.F32, matrix, 1);
            DeviceMatrix delta = bench.gaussian(DType.F32, matrix, 1);
            new ActivationKernels(bench.stream()).residualAdd(hidden, delta);
            return List.of(bench.read("hidden", hidden));
        }
    }
}
