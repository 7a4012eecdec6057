package io.gpuquant.bench;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.BitStreamKernels;
import io.gpuquant.kernels.BitStreamKernels.Words;
import io.gpuquant.kernels.CodecKernels;
import io.gpuquant.kernels.CodecKernels.Codec;
import io.gpuquant.kernels.CodecKernels.Scaling;
import io.gpuquant.kernels.CodecKernels.Search;
import io.gpuquant.kernels.RangeKernels;
import io.gpuquant.kernels.RangeKernels.Rule;
import io.gpuquant.kernels.Tile;
import io.gpuquant.tensor.DType;
import java.util.List;

/** Kernels of narrow element types, of their scales and of streams of bits, on the weights of one linear. */
final class ElementCases {

    private static final int BITS = 4;
    private static final int TABLE = 16;

    /** What shares a scale: as in the format of FP8 blocks, and as in bitsandbytes. */
    private static final Tile BLOCK = new Tile(128, 128);

    private static final Tile ROW = Tile.row(64);

    private final LayerShape shape;
    private final int rows;
    private final int columns;
    private final double elements;

    private ElementCases(LayerShape shape) {
        this.shape = shape;
        rows = shape.intermediate();
        columns = shape.hidden();
        elements = (double) rows * columns;
    }

    static List<KernelCase> of(Device device, LayerShape shape) {
        ElementCases cases = new ElementCases(shape);
        return List.of(
                cases.encodeElements(),
                cases.decodeElements(),
                cases.encodeTable(),
                cases.decodeTable(),
                cases.tileAbsmax(),
                cases.columnAbsmax(),
                cases.tileScales(),
                cases.packBits(),
                cases.unpackBits());
    }

    private KernelCase encodeElements() {
        return KernelCase.of("encode_elements", rows, columns, Work.ofBytes(3 * elements), memory -> {
            DeviceMatrix values = memory.random(DType.BF16, rows, columns);
            Scaling scaling = Scaling.over(scales(memory, values, BLOCK), BLOCK);
            DeviceMatrix codes = memory.empty(DType.U8, rows, columns);
            CodecKernels kernels = new CodecKernels(memory.device().stream());
            return () -> kernels.encode(values, scaling, DType.BF16, Codec.E4M3, 0, codes);
        });
    }

    private KernelCase decodeElements() {
        return KernelCase.of("decode_elements", rows, columns, Work.ofBytes(3 * elements), memory -> {
            DeviceMatrix codes = memory.below(DType.U8, rows, columns, 0x7f);
            Scaling scaling = Scaling.times(scales(memory, codes, BLOCK), BLOCK);
            DeviceMatrix values = memory.empty(DType.BF16, rows, columns);
            CodecKernels kernels = new CodecKernels(memory.device().stream());
            return () -> kernels.decode(codes, Codec.E4M3, scaling, values);
        });
    }

    private KernelCase encodeTable() {
        return KernelCase.of("encode_table", rows, columns, Work.ofBytes(3 * elements), memory -> {
            DeviceMatrix values = memory.random(DType.BF16, rows, columns);
            Scaling scaling = Scaling.times(scales(memory, values, ROW), ROW);
            Search search = new Search(memory.ascending(TABLE - 1), memory.below(DType.U8, 1, TABLE, TABLE));
            DeviceMatrix codes = memory.empty(DType.U8, rows, columns);
            CodecKernels kernels = new CodecKernels(memory.device().stream());
            return () -> kernels.encode(values, 0, scaling, search, codes);
        });
    }

    private KernelCase decodeTable() {
        return KernelCase.of("decode_table", rows, columns, Work.ofBytes(3 * elements), memory -> {
            DeviceMatrix codes = memory.below(DType.U8, rows, columns, TABLE);
            DeviceMatrix table = memory.ascending(TABLE);
            Scaling scaling = Scaling.times(scales(memory, codes, ROW), ROW);
            DeviceMatrix values = memory.empty(DType.BF16, rows, columns);
            CodecKernels kernels = new CodecKernels(memory.device().stream());
            return () -> kernels.decode(codes, table, scaling, 0, values);
        });
    }

    private KernelCase tileAbsmax() {
        return KernelCase.of("tile_absmax", rows, columns, Work.ofBytes(2 * elements), memory -> {
            DeviceMatrix matrix = memory.random(DType.BF16, rows, columns);
            DeviceMatrix maxima = memory.empty(DType.F32, ROW.down(matrix), ROW.across(matrix));
            RangeKernels kernels = new RangeKernels(memory.device().stream());
            return () -> kernels.tileAbsmax(matrix, ROW, 0, maxima);
        });
    }

    private KernelCase columnAbsmax() {
        int tokens = shape.tokens();
        return KernelCase.of("column_absmax", tokens, columns, Work.ofBytes(4.0 * tokens * columns), memory -> {
            DeviceMatrix x = memory.random(DType.F32, tokens, columns);
            DeviceMatrix maxima = memory.empty(DType.F32, 1, columns);
            RangeKernels kernels = new RangeKernels(memory.device().stream());
            return () -> kernels.raiseToColumns(x, maxima);
        });
    }

    private KernelCase tileScales() {
        int across = columns / ROW.columns();
        return KernelCase.of("tile_scales", rows, across, Work.ofBytes(8.0 * rows * across), memory -> {
            DeviceMatrix maxima = memory.uniform(rows, across);
            DeviceMatrix scales = memory.empty(DType.F32, rows, across);
            RangeKernels kernels = new RangeKernels(memory.device().stream());
            return () -> kernels.scales(maxima, Rule.QUOTIENT_OR_EPSILON, 448, DType.BF16, scales);
        });
    }

    private KernelCase packBits() {
        return KernelCase.of("pack_bits", rows, columns, Work.ofBytes(1.5 * elements), memory -> {
            DeviceMatrix values = memory.below(DType.U8, rows, columns, 1 << BITS);
            DeviceMatrix words = memory.empty(DType.I32, rows, BitStreamKernels.words(columns, BITS));
            BitStreamKernels kernels = new BitStreamKernels(memory.device().stream());
            return () -> kernels.pack(values, null, BITS, Words.IN_ROWS, words);
        });
    }

    private KernelCase unpackBits() {
        return KernelCase.of("unpack_bits", rows, columns, Work.ofBytes(1.5 * elements), memory -> {
            int count = BitStreamKernels.words(columns, BITS);
            DeviceMatrix words = memory.below(DType.I32, rows, count, Integer.MAX_VALUE);
            DeviceMatrix values = memory.empty(DType.U8, rows, columns);
            BitStreamKernels kernels = new BitStreamKernels(memory.device().stream());
            return () -> kernels.unpack(words, BITS, Words.IN_ROWS, values);
        });
    }

    private static DeviceMatrix scales(BenchMemory memory, DeviceMatrix matrix, Tile tile) {
        return memory.uniform(tile.down(matrix), tile.across(matrix));
    }
}
