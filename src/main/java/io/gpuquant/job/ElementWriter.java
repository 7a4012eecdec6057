package io.gpuquant.job;

import io.gpuquant.InputException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.format.BnbScheme;
import io.gpuquant.format.BnbType;
import io.gpuquant.format.CompressedPreset;
import io.gpuquant.format.CompressedScheme;
import io.gpuquant.format.ElementScheme;
import io.gpuquant.format.ElementType;
import io.gpuquant.format.Fp8BlockScheme;
import io.gpuquant.kernels.CheckKernels;
import io.gpuquant.kernels.CodecKernels.Codec;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.kernels.NibbleKernels;
import io.gpuquant.kernels.NibbleKernels.Direction;
import io.gpuquant.kernels.Tile;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.quantize.CodeTable;
import io.gpuquant.quantize.ElementEncoder;
import io.gpuquant.quantize.ElementEncoder.Scaled;
import io.gpuquant.quantize.EncodedWeight;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/** Encodes weights, one linear at a time, and writes them in the form of a scheme. */
final class ElementWriter {

    /** The first of two elements in the low nibble of a byte, and in the high one. */
    private static final int LOW_FIRST = 0x76543210;

    private static final int HIGH_FIRST = 0x67452301;
    private static final int PER_WORD = 8;

    private static final float E4M3_MOST = 448;

    /** Half of the distance of the smallest to the largest INT8 number, which compressed-tensors makes the largest magnitude. */
    private static final float INT8_HALF_RANGE = 127.5f;

    private static final float INT8_MOST = 127;

    private final Device device;
    private final ElementScheme scheme;
    private final TensorOutput output;
    private final ElementEncoder encoder;
    private final NibbleKernels nibbles;
    private final ConvertKernels convert;

    ElementWriter(Device device, ElementScheme scheme, TensorOutput output) {
        this.device = device;
        this.scheme = scheme;
        this.output = output;
        encoder = new ElementEncoder(device);
        nibbles = new NibbleKernels(device.stream());
        convert = new ConvertKernels(device.stream());
    }

    /**
     * What a linear shares with others.
     *
     * @param weightMost the largest magnitude of the weights of all linears that engines fuse with it
     * @param inputMost the largest magnitude of its input; zero where it was not looked for
     */
    record Shared(float weightMost, float inputMost) {}

    /**
     * Encodes and writes a weight.
     *
     * @param weight F32, F16 or BF16 [out, in], dense
     * @return what was written, to be compared with the weight and closed
     */
    EncodedWeight write(LinearSpec linear, DeviceMatrix weight, Shared shared) {
        EncodedWeight encoded = encode(linear, weight, shared);
        try {
            switch (scheme) {
                case BnbScheme bnb -> writeBnb(bnb, linear, encoded);
                case Fp8BlockScheme blocks -> {
                    send(blocks.codes(linear.name()), encoded.codes());
                    sendInverse(blocks.scales(linear.name()), encoded.scales());
                }
                case CompressedScheme compressed -> writeCompressed(compressed, linear, encoded, shared);
            }
            return encoded;
        } catch (RuntimeException | Error failure) {
            encoded.close();
            throw failure;
        }
    }

    private EncodedWeight encode(LinearSpec linear, DeviceMatrix weight, Shared shared) {
        return switch (scheme) {
            case BnbScheme bnb ->
                switch (bnb.type()) {
                    case INT8 -> encodeRows(linear, weight);
                    case NF4 -> encodeTable(bnb, linear, weight, CodeTable.NF4);
                    case FP4 -> encodeTable(bnb, linear, weight, CodeTable.FP4);
                };
            case Fp8BlockScheme blocks ->
                encoder.scaled(
                        weight,
                        new Scaled(
                                Codec.E4M3,
                                new Tile(blocks.blockRows(), blocks.blockColumns()),
                                E4M3_MOST,
                                DType.F32,
                                true));
            case CompressedScheme compressed -> encode(compressed, linear, weight, shared);
        };
    }

    private EncodedWeight encode(CompressedScheme form, LinearSpec linear, DeviceMatrix weight, Shared shared) {
        CompressedPreset preset = form.preset();
        Codec codec = codec(preset.type());
        if (preset.isTwoLevel()) {
            return encoder.twoLevel(weight, globalScale(shared.weightMost()), scheme.weightType());
        }
        if (preset.isMicroscaled()) {
            return encoder.microscaled(weight, codec);
        }
        Tile tile = preset == CompressedPreset.FP8
                ? Tile.WHOLE
                : new Tile(form.tileRows(linear.out()), form.tileColumns(linear.in()));
        float most = codec == Codec.INT8 ? INT8_HALF_RANGE : E4M3_MOST;
        return encoder.scaled(weight, new Scaled(codec, tile, most, scheme.weightType(), false));
    }

    private static Codec codec(ElementType type) {
        return switch (type) {
            case INT8 -> Codec.INT8;
            case E4M3 -> Codec.E4M3;
            case E2M1 -> Codec.E2M1;
            case E8M0 -> Codec.E8M0;
        };
    }

    private float globalScale(float most) {
        return ElementEncoder.globalScale(most, value -> rounded(scheme.weightType(), value));
    }

    /** A number in the type of the weights, as float32. */
    private static float rounded(DType dtype, float value) {
        MemorySegment place = MemorySegment.ofArray(new byte[Float.BYTES]);
        Elements.setFloat(place, dtype, 0, value);
        return Elements.floatAt(place, dtype, 0);
    }

    private EncodedWeight encodeTable(BnbScheme bnb, LinearSpec linear, DeviceMatrix weight, CodeTable table) {
        if (!bnb.doubleQuant()) {
            return encoder.table(weight, table, BnbScheme.BLOCK);
        }
        float offset = Objects.requireNonNull(bnb.offsets().get(linear.name()), linear.name());
        return encoder.doubleTable(weight, table, BnbScheme.BLOCK, BnbScheme.NESTED_BLOCK, offset);
    }

    /** LLM.int8() takes weights as F16. */
    private EncodedWeight encodeRows(LinearSpec linear, DeviceMatrix weight) {
        DeviceMatrix halves =
                DeviceMatrix.allocate(device, "weights as F16", DType.F16, weight.rows(), weight.columns());
        try (var buffer = halves.buffer()) {
            convert.convert(weight, halves);
            new CheckKernels(device).firstNonFinite(halves).ifPresent(element -> {
                throw new InputException(linear.weightName() + " has a value at element " + element
                        + " that does not fit F16, in which LLM.int8() takes weights; use --type nf4");
            });
            return encoder.scaled(
                    halves, new Scaled(Codec.INT8, Tile.row(weight.columns()), INT8_MOST, DType.F32, true));
        }
    }

    private void writeBnb(BnbScheme bnb, LinearSpec linear, EncodedWeight encoded) {
        String name = linear.name();
        String weight = bnb.codes(name);
        if (bnb.type() == BnbType.INT8) {
            send(weight, encoded.codes());
            send(bnb.rowMaxima(name), encoded.maxima());
            output.write(weight + "_format", MemorySegment.ofArray(new byte[1]));
            return;
        }
        CodeTable table = bnb.type() == BnbType.NF4 ? CodeTable.NF4 : CodeTable.FP4;
        sendPairs(weight, encoded.codes(), HIGH_FIRST);
        send(weight + ".absmax", encoded.scales());
        if (bnb.doubleQuant()) {
            send(weight + ".nested_absmax", encoded.maxima());
            output.write(weight + ".nested_quant_map", floats(CodeTable.DYNAMIC.values()));
        }
        output.write(weight + ".quant_map", floats(table.values()));
        output.write(bnb.stateName(name), MemorySegment.ofArray(bnb.state(name, linear.in(), linear.out())));
    }

    private void writeCompressed(CompressedScheme form, LinearSpec linear, EncodedWeight encoded, Shared shared) {
        String name = linear.name();
        CompressedPreset preset = form.preset();
        if (preset.type() == ElementType.E2M1) {
            sendPairs(form.codes(name), encoded.codes(), LOW_FIRST);
        } else {
            send(form.codes(name), encoded.codes());
        }
        if (encoded.scales().dtype() == DType.U8) {
            send(form.scales(name), encoded.scales());
        } else {
            sendConverted(form.scales(name), encoded.scales());
        }
        if (preset.isTwoLevel()) {
            output.write(form.globalScale(name), floats(globalScale(shared.weightMost())));
        }
        if (preset.needsRanges()) {
            writeInputScale(form, name, shared.inputMost());
        }
    }

    /** An input that was always zero gets the scale of one whose largest magnitude is one. */
    private void writeInputScale(CompressedScheme form, String name, float inputMost) {
        float most = inputMost == 0 ? 1 : inputMost;
        if (form.preset().isTwoLevel()) {
            output.write(form.inputScale(name), floats(ElementEncoder.globalScale(most, value -> value)));
        } else {
            DType dtype = scheme.weightType();
            MemorySegment bytes = MemorySegment.ofArray(new byte[dtype.bytes()]);
            Elements.setFloat(bytes, dtype, 0, most / E4M3_MOST);
            output.write(form.inputScale(name), bytes);
        }
    }

    private static MemorySegment floats(float... values) {
        MemorySegment bytes = MemorySegment.ofArray(new byte[values.length * Float.BYTES]);
        for (int i = 0; i < values.length; i++) {
            Elements.setFloat(bytes, DType.F32, i, values[i]);
        }
        return bytes;
    }

    private void sendPairs(String name, DeviceMatrix codes, int order) {
        DeviceMatrix words =
                DeviceMatrix.allocate(device, "packed codes", DType.I32, codes.rows(), codes.columns() / PER_WORD);
        try (var buffer = words.buffer()) {
            nibbles.pack(codes, Direction.ALONG_ROWS, order, words);
            send(name, words);
        }
    }

    private void sendConverted(String name, DeviceMatrix scales) {
        DeviceMatrix stored =
                DeviceMatrix.allocate(device, "scales", scheme.weightType(), scales.rows(), scales.columns());
        try (var buffer = stored.buffer()) {
            convert.convert(scales, stored);
            send(name, stored);
        }
    }

    /** The scales are needed once more, so it is a copy that is inverted. */
    private void sendInverse(String name, DeviceMatrix scales) {
        DeviceMatrix inverse =
                DeviceMatrix.allocate(device, "inverse scales", DType.F32, scales.rows(), scales.columns());
        try (var buffer = inverse.buffer()) {
            convert.copy(scales, inverse);
            encoder.invert(inverse);
            send(name, inverse);
        }
    }

    private void send(String name, DeviceMatrix matrix) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(matrix.byteSize());
            device.stream().copyToHost(matrix, bytes);
            device.stream().synchronize();
            output.write(name, bytes);
        }
    }
}
