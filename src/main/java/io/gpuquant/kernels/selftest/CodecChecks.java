package io.gpuquant.kernels.selftest;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.CodecKernels;
import io.gpuquant.kernels.CodecKernels.Codec;
import io.gpuquant.kernels.CodecKernels.Scaling;
import io.gpuquant.kernels.CodecKernels.Search;
import io.gpuquant.kernels.Tile;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Cases for {@code codec.ptx}. */
final class CodecChecks {

    private static final float OFFSET = 0.05f;
    private static final int BYTES = 256;
    private static final int NIBBLES = 16;

    private CodecChecks() {}

    static List<Check> all() {
        List<Case> encoded = new ArrayList<>();
        List<Case> decoded = new ArrayList<>();
        for (Codec codec : Codec.values()) {
            encoded.add(new Encode(codec, DType.F32, Layout.dense(1, 1), Tile.WHOLE));
            encoded.add(new Encode(codec, DType.F16, Layout.window(33, 31), Tile.row(16)));
            encoded.add(new Encode(codec, DType.BF16, Layout.aligned(9, 300), new Tile(4, 128)));
            decoded.add(new Decode(codec, DType.F32, Layout.dense(1, 1), Tile.WHOLE));
            decoded.add(new Decode(codec, DType.F16, Layout.window(33, 31), Tile.row(16)));
            decoded.add(new Decode(codec, DType.BF16, Layout.aligned(9, 300), new Tile(4, 128)));
        }
        return List.of(
                Check.exact("encode_elements", encoded),
                Check.exact("decode_elements", decoded),
                Check.exact(
                        "encode_table",
                        List.of(
                                new EncodeTable(DType.F32, Layout.dense(1, 1), NIBBLES),
                                new EncodeTable(DType.F16, Layout.window(33, 31), NIBBLES),
                                new EncodeTable(DType.BF16, Layout.aligned(9, 300), BYTES))),
                Check.exact(
                        "decode_table",
                        List.of(
                                new DecodeTable(DType.F32, Layout.dense(1, 1), NIBBLES),
                                new DecodeTable(DType.F16, Layout.window(33, 31), NIBBLES),
                                new DecodeTable(DType.BF16, Layout.aligned(9, 300), BYTES))));
    }

    /** Scales that are not alike. */
    private static DeviceMatrix scales(Bench bench, Layout matrix, Tile tile) {
        Layout layout =
                Layout.window(Math.ceilDiv(matrix.rows(), tile.rows()), Math.ceilDiv(matrix.columns(), tile.columns()));
        float[] values = new float[layout.elements()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) bench.random().nextDouble(0.2, 2);
        }
        return bench.matrix(DType.F32, layout, values);
    }

    private static DeviceMatrix table(Bench bench, int size) {
        float[] values = bench.gaussian(size, 0.5);
        Arrays.sort(values);
        return bench.matrix(DType.F32, Layout.dense(1, size), values);
    }

    record Encode(Codec codec, DType type, Layout matrix, Tile tile) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix codes = bench.blank(DType.U8, matrix);
            float[] values = bench.gaussian(matrix.elements(), codec == Codec.INT8 ? 60 : 3);
            for (int i = 0; i < values.length; i += 5) {
                values[i] = (float) Math.scalb(values[i], i % 24 - 12);
            }
            new CodecKernels(bench.stream())
                    .encode(
                            bench.matrix(type, matrix, values),
                            new Scaling(scales(bench, matrix, tile), tile, type == DType.BF16),
                            type,
                            codec,
                            codec == Codec.E4M3 ? 32 : 0,
                            codes);
            return List.of(bench.read("codes", codes));
        }
    }

    record Decode(Codec codec, DType type, Layout matrix, Tile tile) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            DeviceMatrix values = bench.blank(type, matrix);
            new CodecKernels(bench.stream())
                    .decode(
                            bench.codes(matrix, codec == Codec.E4M3 ? 0x7f : 255),
                            codec,
                            new Scaling(scales(bench, matrix, tile), tile, type == DType.BF16),
                            values);
            return List.of(bench.read("values", values));
        }
    }

    record EncodeTable(DType type, Layout matrix, int size) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            Tile tile = Tile.row(64);
            DeviceMatrix codes = bench.blank(DType.U8, matrix);
            byte[] names = new byte[size];
            for (int i = 0; i < size; i++) {
                names[i] = (byte) (i ^ 5);
            }
            new CodecKernels(bench.stream())
                    .encode(
                            bench.gaussian(type, matrix, 0.5),
                            OFFSET,
                            Scaling.times(scales(bench, matrix, tile), tile),
                            new Search(
                                    table(bench, size - 1),
                                    bench.matrix(DType.U8, Layout.dense(1, size), MemorySegment.ofArray(names))),
                            codes);
            return List.of(bench.read("codes", codes));
        }
    }

    record DecodeTable(DType type, Layout matrix, int size) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            Tile tile = Tile.row(64);
            DeviceMatrix values = bench.blank(type, matrix);
            new CodecKernels(bench.stream())
                    .decode(
                            bench.codes(matrix, size),
                            table(bench, size),
                            Scaling.times(scales(bench, matrix, tile), tile),
                            OFFSET,
                            values);
            return List.of(bench.read("values", values));
        }
    }
}
