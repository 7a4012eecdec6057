package io.gpuquant.bench;

import io.gpuquant.device.Blas;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.kernels.ProductTile;
import io.gpuquant.kernels.PtxBlas;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Matrix products and Gram matrices by the kernels, whatever library the device has. */
final class ProductCases {

    private ProductCases() {}

    static List<KernelCase> of(Device device, LayerShape shape) {
        // On the processor a kernel's product of a whole chunk would take minutes.
        int tokens = device.operandType(DType.BF16) == DType.F32 ? Math.min(128, shape.tokens()) : shape.tokens();
        List<KernelCase> cases = new ArrayList<>();
        cases.add(product("gemm_f32", DType.F32, ProductTile.MEDIUM, tokens, shape));
        cases.add(gram(DType.F32, tokens, shape));
        for (DType type : List.of(DType.F16, DType.BF16)) {
            String name = type.name().toLowerCase(Locale.ROOT);
            cases.add(product("gemm_" + name + "_64x64", type, ProductTile.SMALL, tokens, shape));
            cases.add(product("gemm_" + name, type, ProductTile.MEDIUM, tokens, shape));
            cases.add(product("gemm_" + name + "_128x256", type, ProductTile.LARGE, tokens, shape));
            cases.add(gram(type, tokens, shape));
        }
        return cases;
    }

    private static Work operations(DType type, double operations) {
        return type == DType.F32 ? Work.ofFloats(operations) : Work.ofHalves(operations);
    }

    private static KernelCase product(String kernel, DType type, ProductTile tile, int tokens, LayerShape shape) {
        int n = shape.hidden();
        return new KernelCase(
                kernel,
                tokens + " x " + n + " x " + n,
                operations(type, 2.0 * tokens * n * n)
                        .plus(Work.ofBytes((double) type.bytes() * n * (tokens + n) + 4.0 * tokens * n)),
                memory -> {
                    DeviceMatrix x = memory.random(type, tokens, n);
                    DeviceMatrix w = memory.random(type, n, n);
                    DeviceMatrix y = memory.empty(DType.F32, tokens, n);
                    Blas blas = new PtxBlas(tile);
                    return () -> blas.gemm(memory.device().stream(), Gemm.ofTransposedB(x, w, y));
                });
    }

    private static KernelCase gram(DType type, int tokens, LayerShape shape) {
        int n = shape.hidden();
        return new KernelCase(
                "gram_" + type.name().toLowerCase(Locale.ROOT),
                tokens + " x " + n,
                operations(type, (double) tokens * n * (n + 1))
                        .plus(Work.ofBytes((double) type.bytes() * tokens * n + 4.0 * n * n)),
                memory -> {
                    DeviceMatrix x = memory.random(type, tokens, n);
                    DeviceMatrix g = memory.empty(DType.F32, n, n);
                    Blas blas = new PtxBlas();
                    return () -> blas.addGram(memory.device().stream(), x, g);
                });
    }
}
