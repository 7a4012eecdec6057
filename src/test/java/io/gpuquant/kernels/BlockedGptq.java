package io.gpuquant.kernels;

import io.gpuquant.device.Blas;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * GPTQ with the kernels, block by block and without the inverse of the Hessian: with {@code H = R Rᵀ}, R upper triangular,
 * and E the errors of finished columns, the weights of block G as updated by those errors are {@code W_G + (E R_:G) R_GG⁻¹}.
 */
final class BlockedGptq {

    /** What came of it, in the order of the columns; see {@link TextbookGptq.Result}. */
    @SuppressWarnings("ArrayRecordComponent") // Arrays are compared element by element.
    record Result(int[] codes, double[] quantized, double loss, int status) {}

    private final KernelRig rig;
    private final Stream stream;
    private final Blas blas;
    private final int width;
    private final int rows;
    private final int columns;
    private final TextbookGptq.Scheme scheme;
    private final DeviceMatrix status;
    private final List<DeviceMatrix> inverses = new ArrayList<>();

    BlockedGptq(KernelRig rig, int width, int rows, TextbookGptq.Scheme scheme) {
        this.rig = rig;
        this.stream = rig.stream();
        this.blas = rig.device().blas();
        this.width = width;
        this.rows = rows;
        this.columns = scheme.order().length;
        this.scheme = scheme;
        status = rig.integers(1, 1, 0);
    }

    /** Quantizes weights [rows, columns]. */
    Result quantize(float[] weights, float[] gram, float damping) {
        DeviceMatrix factor = rig.empty(DType.F32, columns, columns);
        DeviceMatrix order = rig.integers(1, columns, scheme.order());
        rig.hessian().prepare(rig.floats(columns, columns, gram), order, damping, factor);
        factor(factor);
        return loop(factor, weights);
    }

    private int blocks() {
        return (columns + width - 1) / width;
    }

    private int widthOf(int block) {
        return Math.min(width, columns - block * width);
    }

    /** H becomes R in place, from the last block of columns to the first. */
    private void factor(DeviceMatrix hessian) {
        for (int block = blocks() - 1; block >= 0; block--) {
            int first = block * width;
            int size = widthOf(block);
            DeviceMatrix inverse = rig.empty(DType.F32, size, size);
            inverses.addFirst(inverse);
            rig.hessian().factorDiagonal(hessian.rows(first, size).columns(first, size), inverse, status, first);
            if (first > 0) {
                DeviceMatrix above = hessian.rows(0, first).columns(first, size);
                DeviceMatrix panel = rig.empty(DType.F32, first, size);
                blas.gemm(stream, Gemm.ofTransposedB(above, inverse, panel));
                rig.fill(above, rig.floatsOf(panel));
                DeviceMatrix trailing = hessian.rows(0, first).columns(0, first);
                blas.gemm(stream, Gemm.ofTransposedB(panel, panel, trailing).scaled(-1, 1));
            }
        }
    }

    private Result loop(DeviceMatrix factor, float[] weights) {
        int groups = (columns + scheme.groupSize() - 1) / scheme.groupSize();
        DeviceMatrix errors = rig.floats(rows, columns, inOrder(weights));
        DeviceMatrix codes = rig.empty(DType.U8, rows, columns);
        DeviceMatrix scales = rig.empty(DType.F16, groups, rows);
        DeviceMatrix zeros = rig.empty(DType.U8, groups, rows);
        DeviceMatrix loss = rig.floats(1, rows, new float[rows]);
        QuantizeKernels kernels = rig.quantize();
        if (scheme.gridsComeFirst()) {
            int groupSize = Math.min(scheme.groupSize(), columns);
            kernels.findGrids(rig.floats(rows, columns, weights), groupSize, scheme.grid(), scales, zeros);
        }
        for (int block = 0; block < blocks(); block++) {
            int first = block * width;
            int size = widthOf(block);
            DeviceMatrix original = errors.columns(first, size);
            DeviceMatrix state = rig.floats(rows, size, rig.floatsOf(original));
            if (first > 0) {
                DeviceMatrix carried = rig.empty(DType.F32, rows, size);
                DeviceMatrix above = factor.rows(0, first).columns(first, size);
                blas.gemm(stream, Gemm.of(errors.columns(0, first), above, carried));
                blas.gemm(stream, Gemm.of(carried, inverses.get(block), state).scaled(1, 1));
            }
            int[] columnGroups =
                    IntStream.range(first, first + size).map(scheme::group).toArray();
            kernels.gptqBlock(
                    new GptqBlock(
                            original,
                            state,
                            inverses.get(block),
                            new BlockCodes.Bytes(codes.columns(first, size)),
                            scales,
                            zeros,
                            rig.integers(1, size, columnGroups),
                            scheme.gridsComeFirst() ? 0 : scheme.groupSize(),
                            loss),
                    scheme.grid(),
                    GptqShape.EIGHT_LANES_PER_ROW);
        }
        return result(weights, errors, codes, loss);
    }

    private float[] inOrder(float[] weights) {
        float[] result = new float[weights.length];
        for (int i = 0; i < weights.length; i++) {
            result[i] = weights[i / columns * columns + scheme.order()[i % columns]];
        }
        return result;
    }

    private Result result(float[] weights, DeviceMatrix errors, DeviceMatrix codes, DeviceMatrix loss) {
        float[] finalErrors = rig.floatsOf(errors);
        byte[] finalCodes = rig.bytesOf(codes);
        int[] resultCodes = new int[weights.length];
        double[] quantized = new double[weights.length];
        for (int i = 0; i < weights.length; i++) {
            int column = i / columns * columns + scheme.order()[i % columns];
            resultCodes[column] = Byte.toUnsignedInt(finalCodes[i]);
            quantized[column] = (double) weights[column] - finalErrors[i];
        }
        double total = 0;
        for (float rowLoss : rig.floatsOf(loss)) {
            total += rowLoss;
        }
        return new Result(resultCodes, quantized, total, rig.integersOf(status)[0]);
    }
}
