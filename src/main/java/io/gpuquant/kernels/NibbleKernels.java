package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;

/** Codes of four bits into 32-bit words and back, and the weights that codes stand for. */
public final class NibbleKernels {

    private static final int PER_WORD = 8;

    private final Stream stream;
    private final KernelEntry pack;
    private final KernelEntry unpack;
    private final KernelEntry dequantize;

    public NibbleKernels(Stream stream) {
        this(stream, KernelFiles.module("nibbles.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    NibbleKernels(Stream stream, KernelModule kernels) {
        this.stream = stream;
        pack = kernels.entry("pack_nibbles");
        unpack = kernels.entry("unpack_nibbles");
        dequantize = kernels.entry("dequantize_codes");
    }

    /** Which values form a word. */
    public enum Direction {
        /** Eight neighbours of a row; words are [rows, columns / 8]. */
        ALONG_ROWS,
        /** Eight neighbours of a column; words are [columns, rows / 8]. */
        ALONG_COLUMNS
    }

    /**
     * Packs values.
     *
     * @param values U8 [rows, columns], each below 16; may be a window
     * @param order nibble i says which of a word's eight values stands in nibble i of the word
     * @param words I32, dense
     */
    public void pack(DeviceMatrix values, Direction direction, int order, DeviceMatrix words) {
        launch(pack, values, direction, order, words);
    }

    /** Unpacks what {@link #pack} packed. */
    public void unpack(DeviceMatrix words, Direction direction, int order, DeviceMatrix values) {
        launch(unpack, values, direction, order, words);
    }

    private void launch(KernelEntry kernel, DeviceMatrix values, Direction direction, int order, DeviceMatrix words) {
        boolean alongRows = direction == Direction.ALONG_ROWS;
        int packed = alongRows ? values.columns() : values.rows();
        int kept = alongRows ? values.rows() : values.columns();
        if (packed % PER_WORD != 0) {
            throw new IllegalArgumentException(values + " does not fill words " + direction);
        }
        TypeCode.require(values, DType.U8, values.rows(), values.columns());
        TypeCode.require(words, DType.I32, kept, packed / PER_WORD);
        TypeCode.requireDense(words);
        if (values.elementCount() == 0) {
            return;
        }
        int count = packed / PER_WORD;
        int xs = alongRows ? count : kept;
        int ys = alongRows ? kept : count;
        stream.launch(
                kernel,
                Grids.columnsByRows(xs, Grids.ceilDiv(ys, Grids.ROWS_PER_BLOCK)),
                new KernelArguments()
                        .matrix(words)
                        .int64(alongRows ? 1 : count)
                        .int64(alongRows ? count : 1)
                        .matrix(values)
                        .int64(alongRows ? PER_WORD : 1)
                        .int64(alongRows ? values.stride() : (long) PER_WORD * values.stride())
                        .int64(alongRows ? 1 : values.stride())
                        .int32(order)
                        .int32(xs)
                        .int32(ys));
    }

    /**
     * The weights that an engine computes with: {@code w[o, i] = scale[g, o] * (code[o, i] - zero[g, o])} with {@code g = i /
     * groupSize}, in float32, rounded to the type of {@code weights}.
     *
     * @param codes U8 [out, in]; may be a window
     * @param scales F16 or F32 [groups, out]; may be a window
     * @param zeros U8 [groups, out] with the stride of {@code scales}
     * @param weights F32, F16 or BF16 [out, in]; may be a window
     */
    public void dequantize(
            DeviceMatrix codes, DeviceMatrix scales, DeviceMatrix zeros, int groupSize, DeviceMatrix weights) {
        int out = codes.rows();
        int in = codes.columns();
        TypeCode.require(codes, DType.U8, out, in);
        TypeCode.require(weights, out, in);
        TypeCode.require(scales, Grids.ceilDiv(in, groupSize), out);
        if (scales.dtype() != DType.F16 && scales.dtype() != DType.F32) {
            throw new IllegalArgumentException(scales + " is not of F16 or F32");
        }
        TypeCode.require(zeros, DType.U8, scales.rows(), out);
        if (scales.stride() != zeros.stride()) {
            throw new IllegalArgumentException(scales + " and " + zeros + " have different strides");
        }
        if (codes.elementCount() == 0) {
            return;
        }
        stream.launch(
                dequantize,
                Grids.columnsByRows(in, Grids.ceilDiv(out, Grids.ROWS_PER_BLOCK)),
                new KernelArguments()
                        .matrix(weights)
                        .int32(TypeCode.of(weights))
                        .int32(weights.stride())
                        .matrix(codes)
                        .int32(codes.stride())
                        .matrix(scales)
                        .int32(TypeCode.of(scales))
                        .matrix(zeros)
                        .int32(scales.stride())
                        .int32(out)
                        .int32(in)
                        .int32(groupSize));
    }
}
