package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;
import org.jspecify.annotations.Nullable;

/**
 * Rows of values into little-endian bit streams of 32-bit words, and back. Value i of a stream is its bits {@code i * bits}
 * to {@code (i + 1) * bits - 1}; values may straddle words, and what the last word has beyond the last value is zero.
 */
public final class BitStreamKernels {

    private static final int MOST_BITS = 8;

    private final Stream stream;
    private final KernelEntry pack;
    private final KernelEntry unpack;

    public BitStreamKernels(Stream stream) {
        this(stream, KernelFiles.module("bitstream.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    BitStreamKernels(Stream stream, KernelModule kernels) {
        this.stream = stream;
        pack = kernels.entry("pack_bits");
        unpack = kernels.entry("unpack_bits");
    }

    /** Where the words of a stream are. */
    public enum Words {
        /** In a row: words are [rows, ceil(columns * bits / 32)]. */
        IN_ROWS,
        /** In a column: words are [ceil(columns * bits / 32), rows]. */
        IN_COLUMNS
    }

    /**
     * Packs values.
     *
     * @param values U8 [rows, columns], each below 2^bits; may be a window
     * @param position I32 [1, columns]: the column of {@code values} that is each value of a stream; null where it is the same
     * @param bits of a value, 1 to 8
     * @param words I32, dense
     */
    public void pack(
            DeviceMatrix values, @Nullable DeviceMatrix position, int bits, Words direction, DeviceMatrix words) {
        if (position != null) {
            TypeCode.require(position, DType.I32, 1, values.columns());
        }
        require(values, bits, direction, words);
        if (values.elementCount() == 0) {
            return;
        }
        stream.launch(
                pack,
                Grids.elementwise(words.elementCount()),
                streams(direction, words)
                        .matrix(values)
                        .int32(values.stride())
                        .address(position == null ? 0 : position.address())
                        .int32(values.rows())
                        .int32(values.columns())
                        .int32(bits));
    }

    /** Unpacks what {@link #pack} packed without positions. */
    public void unpack(DeviceMatrix words, int bits, Words direction, DeviceMatrix values) {
        require(values, bits, direction, words);
        if (values.elementCount() == 0) {
            return;
        }
        stream.launch(
                unpack,
                Grids.columnsByRows(values.columns(), Grids.ceilDiv(values.rows(), Grids.ROWS_PER_BLOCK)),
                streams(direction, words)
                        .matrix(values)
                        .int32(values.stride())
                        .int32(values.rows())
                        .int32(values.columns())
                        .int32(bits));
    }

    /** Words of a stream. */
    public static int words(int values, int bits) {
        return Math.toIntExact(((long) values * bits + Integer.SIZE - 1) / Integer.SIZE);
    }

    private static KernelArguments streams(Words direction, DeviceMatrix words) {
        boolean inRows = direction == Words.IN_ROWS;
        return new KernelArguments()
                .matrix(words)
                .int32(inRows ? words.columns() : 1)
                .int32(inRows ? 1 : words.columns());
    }

    private static void require(DeviceMatrix values, int bits, Words direction, DeviceMatrix words) {
        if (bits < 1 || bits > MOST_BITS) {
            throw new IllegalArgumentException(bits + " bits");
        }
        int count = words(values.columns(), bits);
        boolean inRows = direction == Words.IN_ROWS;
        TypeCode.require(values, DType.U8, values.rows(), values.columns());
        TypeCode.require(words, DType.I32, inRows ? values.rows() : count, inRows ? count : values.rows());
        TypeCode.requireDense(words);
        if (words.elementCount() > Integer.MAX_VALUE) {
            throw new IllegalArgumentException(words + " has more words than a launch counts");
        }
    }
}
