package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;

/** Numbers into codes of narrow element types, one byte each, and back. */
public final class CodecKernels {

    private final Stream stream;
    private final KernelEntry encodeElements;
    private final KernelEntry decodeElements;
    private final KernelEntry encodeTable;
    private final KernelEntry decodeTable;

    public CodecKernels(Stream stream) {
        this(stream, KernelFiles.module("codec.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    CodecKernels(Stream stream, KernelModule kernels) {
        this.stream = stream;
        encodeElements = kernels.entry("encode_elements");
        decodeElements = kernels.entry("decode_elements");
        encodeTable = kernels.entry("encode_table");
        decodeTable = kernels.entry("decode_table");
    }

    /** Element types that are computed. */
    public enum Codec {
        /** Two's complement, rounded half to even, saturating. */
        INT8,
        /** OCP E4M3: no infinities, 0x7f is NaN; rounded half to even, saturating at 448. */
        E4M3,
        /** OCP E2M1 in the low nibble; rounded half to even, saturating at 6. */
        E2M1,
        /**
         * OCP E8M0, a power of two. The exponent of the magnitude, and one more for mantissas of 1.75 and above, as scales
         * of MX formats are rounded (compressed_tensors, {@code mxfp4_utils.round_to_power_2}); saturating at 254.
         */
        E8M0
    }

    /**
     * Scales of tiles.
     *
     * @param scales F32 [tiles down, tiles across]; may be a window
     * @param divides whether elements are divided by their scale, and not multiplied
     */
    public record Scaling(DeviceMatrix scales, Tile tile, boolean divides) {

        /** Elements are divided. */
        public static Scaling over(DeviceMatrix scales, Tile tile) {
            return new Scaling(scales, tile, true);
        }

        /** Elements are multiplied. */
        public static Scaling times(DeviceMatrix scales, Tile tile) {
            return new Scaling(scales, tile, false);
        }

        private KernelArguments addTo(KernelArguments arguments, DeviceMatrix matrix) {
            TypeCode.require(scales, DType.F32, tile.down(matrix), tile.across(matrix));
            return arguments
                    .matrix(scales)
                    .int32(scales.stride())
                    .int32(tile.rows())
                    .int32(tile.columns());
        }
    }

    /**
     * Encodes elements.
     *
     * @param values F32, F16 or BF16 [rows, columns]; may be a window
     * @param rounding the type that scaled values are rounded to before they are encoded; F32 for none
     * @param zeroCode what stands where a code would be zero
     * @param codes U8 [rows, columns]; may be a window
     */
    public void encode(
            DeviceMatrix values, Scaling scaling, DType rounding, Codec codec, int zeroCode, DeviceMatrix codes) {
        TypeCode.require(codes, DType.U8, values.rows(), values.columns());
        if (values.elementCount() == 0) {
            return;
        }
        KernelArguments arguments = new KernelArguments()
                .matrix(codes)
                .int32(codes.stride())
                .matrix(values)
                .int32(TypeCode.of(values))
                .int32(values.stride());
        launch(
                encodeElements,
                scaling.addTo(arguments, values)
                        .int32(scaling.divides() ? 1 : 0)
                        .int32(TypeCode.of(rounding))
                        .int32(codec.ordinal())
                        .int32(zeroCode),
                values);
    }

    /**
     * Decodes elements.
     *
     * @param codes U8 [rows, columns]; may be a window
     * @param values F32, F16 or BF16 [rows, columns]; may be a window
     */
    public void decode(DeviceMatrix codes, Codec codec, Scaling scaling, DeviceMatrix values) {
        TypeCode.require(codes, DType.U8, values.rows(), values.columns());
        if (values.elementCount() == 0) {
            return;
        }
        KernelArguments arguments = new KernelArguments()
                .matrix(values)
                .int32(TypeCode.of(values))
                .int32(values.stride())
                .matrix(codes)
                .int32(codes.stride());
        launch(
                decodeElements,
                scaling.addTo(arguments, values)
                        .int32(scaling.divides() ? 1 : 0)
                        .int32(codec.ordinal()),
                values);
    }

    /**
     * How numbers from -1 to 1 are found in a table.
     *
     * @param thresholds F32 [1, n - 1], ascending; n is a power of two
     * @param codes U8 [1, n]: the code of a number above that many thresholds
     */
    public record Search(DeviceMatrix thresholds, DeviceMatrix codes) {}

    /**
     * Encodes elements by a table: {@code (value - offset) * scale}, cut to -1 to 1, is looked up.
     *
     * @param values F32, F16 or BF16 [rows, columns]; may be a window
     * @param scaling by which elements are multiplied
     * @param codes U8 [rows, columns]; may be a window
     */
    public void encode(DeviceMatrix values, float offset, Scaling scaling, Search search, DeviceMatrix codes) {
        int size = search.codes().columns();
        TypeCode.require(search.codes(), DType.U8, 1, size);
        TypeCode.require(search.thresholds(), DType.F32, 1, size - 1);
        TypeCode.require(codes, DType.U8, values.rows(), values.columns());
        if (Integer.bitCount(size) != 1 || scaling.divides()) {
            throw new IllegalArgumentException("a search in " + size + " codes with " + scaling);
        }
        if (values.elementCount() == 0) {
            return;
        }
        KernelArguments arguments = new KernelArguments()
                .matrix(codes)
                .int32(codes.stride())
                .matrix(values)
                .int32(TypeCode.of(values))
                .int32(values.stride());
        launch(
                encodeTable,
                scaling.addTo(arguments, values)
                        .float32(offset)
                        .matrix(search.thresholds())
                        .matrix(search.codes())
                        .int32(size),
                values);
    }

    /**
     * Decodes elements by a table: {@code table[code] * scale + offset}.
     *
     * @param codes U8 [rows, columns], each below the size of the table; may be a window
     * @param table F32 [1, n]
     * @param scaling by which elements are multiplied
     * @param values F32, F16 or BF16 [rows, columns]; may be a window
     */
    public void decode(DeviceMatrix codes, DeviceMatrix table, Scaling scaling, float offset, DeviceMatrix values) {
        TypeCode.require(table, DType.F32, 1, table.columns());
        TypeCode.require(codes, DType.U8, values.rows(), values.columns());
        if (scaling.divides()) {
            throw new IllegalArgumentException("a table with " + scaling);
        }
        if (values.elementCount() == 0) {
            return;
        }
        KernelArguments arguments = new KernelArguments()
                .matrix(values)
                .int32(TypeCode.of(values))
                .int32(values.stride())
                .matrix(codes)
                .int32(codes.stride());
        launch(decodeTable, scaling.addTo(arguments, values).float32(offset).matrix(table), values);
    }

    private void launch(KernelEntry kernel, KernelArguments arguments, DeviceMatrix matrix) {
        stream.launch(
                kernel,
                Grids.columnsByRows(matrix.columns(), Grids.ceilDiv(matrix.rows(), Grids.ROWS_PER_BLOCK)),
                arguments.int32(matrix.rows()).int32(matrix.columns()));
    }
}
