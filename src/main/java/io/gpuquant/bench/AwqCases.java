package io.gpuquant.bench;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.AwqKernels;
import io.gpuquant.kernels.NibbleKernels;
import io.gpuquant.kernels.ScaleKernels;
import io.gpuquant.tensor.DType;
import java.util.List;

/** Kernels of AWQ, on the weights of one linear. */
final class AwqCases {

    /** AWQ's order of the eight values in a word. */
    private static final int ORDER = 0x75316420;

    /** Ratios that a search of scales tries. */
    private static final int RATIOS = 20;

    private final LayerShape shape;
    private final int rows;
    private final int columns;
    private final int groups;
    private final double elements;

    private AwqCases(LayerShape shape) {
        this.shape = shape;
        rows = shape.intermediate();
        columns = shape.hidden();
        groups = columns / QuantizationCases.GROUP;
        elements = (double) rows * columns;
    }

    static List<KernelCase> of(Device device, LayerShape shape) {
        AwqCases cases = new AwqCases(shape);
        return List.of(
                cases.absoluteSums(),
                cases.groupShares(),
                cases.candidateScales(),
                cases.roundScaled(),
                cases.chooseCuts(),
                cases.scale(),
                cases.nibbles("pack_nibbles", true),
                cases.nibbles("unpack_nibbles", false),
                cases.dequantize());
    }

    private KernelCase absoluteSums() {
        int tokens = shape.tokens();
        return KernelCase.of("column_sums", tokens, columns, Work.ofBytes(4.0 * tokens * columns), memory -> {
            DeviceMatrix x = memory.random(DType.F32, tokens, columns);
            DeviceMatrix partials = memory.empty(DType.F32, AwqKernels.BANDS, columns);
            return () -> new AwqKernels(memory.device().stream()).addAbsoluteSums(x, partials);
        });
    }

    private KernelCase groupShares() {
        return KernelCase.of("group_shares", rows, columns, Work.ofBytes(8 * elements), memory -> {
            DeviceMatrix weights = memory.random(DType.F32, rows, columns);
            DeviceMatrix shares = memory.empty(DType.F32, rows, columns);
            return () -> new AwqKernels(memory.device().stream()).groupShares(weights, QuantizationCases.GROUP, shares);
        });
    }

    private KernelCase candidateScales() {
        double bytes = 4.0 * columns * (1 + RATIOS + 2 * AwqKernels.BANDS);
        return KernelCase.of("candidate_scales", 1 + RATIOS, columns, Work.ofBytes(bytes), memory -> {
            AwqKernels.Mean x = new AwqKernels.Mean(memory.random(DType.F32, AwqKernels.BANDS, columns), 1);
            AwqKernels.Mean w = new AwqKernels.Mean(memory.random(DType.F32, AwqKernels.BANDS, columns), 1);
            DeviceMatrix scales = memory.empty(DType.F32, 1 + RATIOS, columns);
            return () -> new AwqKernels(memory.device().stream()).candidateScales(x, w, scales);
        });
    }

    private KernelCase roundScaled() {
        return KernelCase.of("round_scaled", rows, columns, Work.ofBytes(8 * elements), memory -> {
            AwqKernels.Rounding rounding = new AwqKernels.Rounding(
                    memory.random(DType.F32, rows, columns),
                    memory.random(DType.F32, 1, columns),
                    QuantizationCases.GROUP,
                    QuantizationCases.GRID,
                    AwqKernels.Cut.NONE);
            DeviceMatrix values = memory.empty(DType.F32, rows, columns);
            return () -> new AwqKernels(memory.device().stream()).roundedWeights(rounding, values);
        });
    }

    private KernelCase chooseCuts() {
        return KernelCase.of("choose_cuts", rows, columns, Work.ofBytes(8 * elements), memory -> {
            DeviceMatrix errors = memory.random(DType.F32, rows, columns);
            DeviceMatrix products = memory.random(DType.F32, rows, columns);
            AwqKernels.Cuts best =
                    new AwqKernels.Cuts(memory.empty(DType.F32, rows, groups), memory.empty(DType.U8, rows, groups));
            return () -> new AwqKernels(memory.device().stream())
                    .chooseCuts(1, errors, products, QuantizationCases.GROUP, best);
        });
    }

    private KernelCase scale() {
        return KernelCase.of("scale_matrix", rows, columns, Work.ofBytes(6 * elements), memory -> {
            DeviceMatrix in = memory.random(DType.BF16, rows, columns);
            ScaleKernels.Factors factors = ScaleKernels.Factors.times(memory.random(DType.F32, 1, columns));
            DeviceMatrix out = memory.empty(DType.F32, rows, columns);
            return () -> new ScaleKernels(memory.device().stream()).scale(in, factors, ScaleKernels.Factors.ONES, out);
        });
    }

    private KernelCase nibbles(String kernel, boolean packs) {
        return KernelCase.of(kernel, rows, columns, Work.ofBytes(1.5 * elements), memory -> {
            DeviceMatrix values = memory.below(DType.U8, rows, columns, 16);
            DeviceMatrix words = memory.empty(DType.I32, rows, columns / 8);
            NibbleKernels kernels = new NibbleKernels(memory.device().stream());
            return packs
                    ? () -> kernels.pack(values, NibbleKernels.Direction.ALONG_ROWS, ORDER, words)
                    : () -> kernels.unpack(words, NibbleKernels.Direction.ALONG_ROWS, ORDER, values);
        });
    }

    private KernelCase dequantize() {
        return KernelCase.of("dequantize_codes", rows, columns, Work.ofBytes(3 * elements), memory -> {
            DeviceMatrix codes = memory.below(DType.U8, rows, columns, 16);
            DeviceMatrix scales = memory.random(DType.F16, groups, rows);
            DeviceMatrix zeros = memory.below(DType.U8, groups, rows, 16);
            DeviceMatrix weights = memory.empty(DType.BF16, rows, columns);
            return () -> new NibbleKernels(memory.device().stream())
                    .dequantize(codes, scales, zeros, QuantizationCases.GROUP, weights);
        });
    }
}
