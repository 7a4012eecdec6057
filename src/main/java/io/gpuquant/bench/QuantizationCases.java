package io.gpuquant.bench;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.BlockCodes;
import io.gpuquant.kernels.GptqBlock;
import io.gpuquant.kernels.GptqShape;
import io.gpuquant.kernels.HessianKernels;
import io.gpuquant.kernels.PackKernels;
import io.gpuquant.kernels.QuantizationGrid;
import io.gpuquant.kernels.QuantizeKernels;
import io.gpuquant.kernels.ReductionKernels;
import io.gpuquant.tensor.DType;
import java.util.List;
import java.util.stream.IntStream;

/** Kernels of GPTQ and of rounding, on the weights of one linear or of two that share their input. */
final class QuantizationCases {

    static final int GROUP = 128;
    static final QuantizationGrid GRID = new QuantizationGrid(4, true, 0, QuantizationGrid.Search.MIN_MAX);
    private static final int BITS = 4;

    private final LayerShape shape;
    private final int rows;
    private final int columns;
    private final int groups;
    private final double elements;

    private QuantizationCases(LayerShape shape) {
        this.shape = shape;
        rows = shape.intermediate();
        columns = shape.hidden();
        groups = columns / GROUP;
        elements = (double) rows * columns;
    }

    static List<KernelCase> of(Device device, LayerShape shape) {
        QuantizationCases cases = new QuantizationCases(shape);
        return List.of(
                cases.symmetrize(),
                cases.prepare(),
                cases.factor(),
                cases.block("gptq_block", GptqShape.EIGHT_LANES_PER_ROW),
                cases.block("gptq_block_rows", GptqShape.THREAD_PER_ROW),
                cases.findGrids(),
                cases.round(),
                cases.packWeights(),
                cases.packZeros(),
                cases.dequantize(),
                cases.dot(),
                cases.squaredDifference());
    }

    private KernelCase symmetrize() {
        return KernelCase.of("symmetrize", columns, columns, Work.ofBytes(4.0 * columns * columns), memory -> {
            DeviceMatrix matrix = memory.random(DType.F32, columns, columns);
            return () -> new HessianKernels(memory.device().stream()).symmetrize(matrix);
        });
    }

    private KernelCase prepare() {
        return KernelCase.of("hessian_prepare", columns, columns, Work.ofBytes(6.0 * columns * columns), memory -> {
            DeviceMatrix gram = memory.random(DType.F32, columns, columns);
            DeviceMatrix order = memory.integers(IntStream.range(0, columns).toArray());
            DeviceMatrix hessian = memory.empty(DType.F32, columns, columns);
            return () -> new HessianKernels(memory.device().stream()).prepare(gram, order, 1, hessian);
        });
    }

    /** A chain of small steps, which has no floor in bytes or operations that means anything. */
    private KernelCase factor() {
        int n = HessianKernels.BLOCK;
        return KernelCase.of("cholesky_reversed_block", n, n, Work.NONE, memory -> {
            DeviceMatrix block = memory.definite(n);
            DeviceMatrix factored = memory.empty(DType.F32, n, n);
            DeviceMatrix inverse = memory.empty(DType.F32, n, n);
            DeviceMatrix status = memory.empty(DType.I32, 1, 1);
            return () -> {
                memory.device().stream().copy(block.buffer(), 0, factored.buffer(), 0, block.byteSize());
                new HessianKernels(memory.device().stream()).factorDiagonal(factored, inverse, status, 0);
            };
        });
    }

    /** Rows of gate and up. */
    private KernelCase block(String kernel, GptqShape threads) {
        int all = 2 * rows;
        double cells = (double) all * GROUP;
        return KernelCase.of(
                kernel, all, GROUP, Work.ofFloats(cells * (GROUP + 8)).plus(Work.ofBytes(12.5 * cells)), memory -> {
                    GptqBlock block = new GptqBlock(
                            memory.random(DType.F32, all, GROUP),
                            memory.random(DType.F32, all, GROUP),
                            memory.definite(GROUP),
                            words(memory, all),
                            memory.empty(DType.F16, 1, all),
                            memory.empty(DType.U8, 1, all),
                            memory.integers(new int[GROUP]),
                            GROUP,
                            memory.empty(DType.F32, 1, all));
                    QuantizeKernels kernels = new QuantizeKernels(memory.device().stream());
                    return () -> kernels.gptqBlock(block, GRID, threads);
                });
    }

    /** Words of one linear, whose group is in the order of its features. */
    private static BlockCodes words(BenchMemory memory, int outputs) {
        return new BlockCodes.Words(
                memory.empty(DType.I32, 1, outputs * GROUP * BITS / 32),
                BITS,
                memory.integers(
                        IntStream.range(0, GROUP).map(column -> column * BITS).toArray()),
                memory.integers(
                        IntStream.range(0, GROUP / BlockCodes.Words.PIECE).toArray()),
                memory.integers(0, outputs));
    }

    private KernelCase findGrids() {
        return KernelCase.of("find_grids", rows, columns, Work.ofBytes(4 * elements), memory -> {
            DeviceMatrix weights = memory.random(DType.F32, rows, columns);
            DeviceMatrix scales = memory.empty(DType.F16, groups, rows);
            DeviceMatrix zeros = memory.empty(DType.U8, groups, rows);
            return () -> new QuantizeKernels(memory.device().stream()).findGrids(weights, GROUP, GRID, scales, zeros);
        });
    }

    private KernelCase round() {
        return KernelCase.of("round_to_grid", rows, columns, Work.ofBytes(9 * elements), memory -> {
            DeviceMatrix weights = memory.random(DType.F32, rows, columns);
            DeviceMatrix codes = memory.empty(DType.U8, rows, columns);
            DeviceMatrix scales = memory.random(DType.F16, groups, rows);
            DeviceMatrix zeros = memory.below(DType.U8, groups, rows, 16);
            DeviceMatrix groupOf = groupOf(memory);
            return () ->
                    new QuantizeKernels(memory.device().stream()).round(weights, codes, scales, zeros, groupOf, GRID);
        });
    }

    private DeviceMatrix groupOf(BenchMemory memory) {
        return memory.integers(
                IntStream.range(0, columns).map(column -> column / GROUP).toArray());
    }

    private KernelCase packWeights() {
        return KernelCase.of("pack_weights", rows, columns, Work.ofBytes(1.5 * elements), memory -> {
            DeviceMatrix codes = memory.below(DType.U8, rows, columns, 16);
            DeviceMatrix positions = memory.integers(IntStream.range(0, columns).toArray());
            DeviceMatrix packed = memory.empty(DType.I32, columns * BITS / 32, rows);
            return () -> new PackKernels(memory.device().stream()).packWeights(codes, positions, BITS, packed);
        });
    }

    private KernelCase packZeros() {
        return KernelCase.of("pack_zeros", groups, rows, Work.ofBytes(1.5 * groups * rows), memory -> {
            DeviceMatrix zeros = memory.below(DType.U8, groups, rows, 16);
            DeviceMatrix packed = memory.empty(DType.I32, groups, rows * BITS / 32);
            return () -> new PackKernels(memory.device().stream()).packZeros(zeros, 1, BITS, packed);
        });
    }

    private KernelCase dequantize() {
        return KernelCase.of("dequantize", rows, columns, Work.ofBytes(2.5 * elements), memory -> {
            PackKernels.PackedLinear packed = new PackKernels.PackedLinear(
                    memory.below(DType.I32, columns * BITS / 32, rows, Integer.MAX_VALUE),
                    memory.below(DType.I32, groups, rows * BITS / 32, Integer.MAX_VALUE),
                    memory.random(DType.F16, groups, rows),
                    groupOf(memory),
                    BITS,
                    1);
            DeviceMatrix weights = memory.empty(DType.BF16, rows, columns);
            return () -> new PackKernels(memory.device().stream()).dequantize(packed, weights);
        });
    }

    private KernelCase dot() {
        return KernelCase.of("dot_partials", rows, columns, Work.ofBytes(8 * elements), memory -> {
            DeviceMatrix a = memory.random(DType.F32, rows, columns);
            DeviceMatrix b = memory.random(DType.F32, rows, columns);
            ReductionKernels kernels = new ReductionKernels(memory.device());
            return () -> kernels.dot(a, b);
        });
    }

    private KernelCase squaredDifference() {
        return KernelCase.of(
                "squared_difference_partials",
                shape.tokens(),
                columns,
                Work.ofBytes(8.0 * shape.tokens() * columns),
                memory -> {
                    DeviceMatrix a = memory.random(DType.F32, shape.tokens(), columns);
                    DeviceMatrix b = memory.random(DType.F32, shape.tokens(), columns);
                    ReductionKernels kernels = new ReductionKernels(memory.device());
                    return () -> {
                        try (ReductionKernels.Sums sums = kernels.sums(1, 1)) {
                            sums.addSquaredDifference(0, a, b);
                        }
                    };
                });
    }
}
