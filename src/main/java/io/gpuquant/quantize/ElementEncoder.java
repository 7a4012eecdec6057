package io.gpuquant.quantize;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.CodecKernels;
import io.gpuquant.kernels.CodecKernels.Codec;
import io.gpuquant.kernels.CodecKernels.Scaling;
import io.gpuquant.kernels.CodecKernels.Search;
import io.gpuquant.kernels.RangeKernels;
import io.gpuquant.kernels.RangeKernels.Rule;
import io.gpuquant.kernels.Tile;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * Encodes weights as elements of narrow types, every one to the nearest, with the largest magnitude of a block for its scale,
 * in the order of roundings of the tools whose formats these are, so that the bytes are theirs.
 */
public final class ElementEncoder {

    /** The largest E4M3 number. */
    private static final float E4M3_MOST = 448;

    /** The largest E2M1 number. */
    private static final float E2M1_MOST = 6;

    /** The code of 0.125, the distance of 1 to the next larger E4M3 number, which stands for scales that would be zero. */
    private static final int E4M3_EPSILON = 0x20;

    private static final int TWO_LEVEL_GROUP = 16;
    private static final int MICROSCALED_GROUP = 32;

    /** Values that a warp looks through at first when the largest of a whole matrix is wanted. */
    private static final int PIECE = 2048;

    private final Device device;
    private final CodecKernels codec;
    private final RangeKernels ranges;

    public ElementEncoder(Device device) {
        this.device = device;
        codec = new CodecKernels(device.stream());
        ranges = new RangeKernels(device.stream());
    }

    /**
     * Scales of an ordinary type.
     *
     * @param tile what shares a scale
     * @param most the number that the largest magnitude of a tile becomes
     * @param scaleType the type of scales: elements are divided by {@code largest / most}, rounded to it; F32 makes no
     *     difference there, but see {@code inverse}
     * @param inverse whether elements are multiplied by {@code (1 / largest) * most} in float32 instead
     */
    public record Scaled(Codec codec, Tile tile, float most, DType scaleType, boolean inverse) {}

    /** Encodes with scales of an ordinary type; quotients are rounded to the type of the weight. */
    public EncodedWeight scaled(DeviceMatrix weight, Scaled form) {
        Scratch memory = new Scratch(device);
        return guarded(memory, () -> {
            DeviceMatrix maxima = maxima(memory, weight, form.tile());
            DeviceMatrix scales = memory.matrix("scales", DType.F32, maxima.rows(), maxima.columns());
            ranges.scales(
                    maxima,
                    form.inverse() ? Rule.INVERSE : Rule.QUOTIENT_OR_EPSILON,
                    form.most(),
                    form.inverse() ? DType.F32 : form.scaleType(),
                    scales);
            DeviceMatrix codes = memory.matrix("codes", DType.U8, weight.rows(), weight.columns());
            Scaling scaling = new Scaling(scales, form.tile(), !form.inverse());
            codec.encode(weight, scaling, form.inverse() ? DType.F32 : weight.dtype(), form.codec(), 0, codes);
            Scaling back = new Scaling(scales, form.tile(), form.inverse());
            return new EncodedWeight(
                    codes, scales, maxima, target -> codec.decode(codes, form.codec(), back, target), memory);
        });
    }

    /**
     * The inverses of scales, which is what the format of FP8 blocks stores.
     *
     * @param scales F32, dense; overwritten
     */
    public void invert(DeviceMatrix scales) {
        ranges.scales(scales, Rule.INVERSE, 1, DType.F32, scales);
    }

    /**
     * NVFP4: E2M1 elements, an E4M3 scale for 16 of them, and a scale of all scales.
     *
     * @param global what scales are multiplied with before they are encoded
     * @param scaleType the type that the quotient of largest magnitudes and 6 is rounded to
     */
    public EncodedWeight twoLevel(DeviceMatrix weight, float global, DType scaleType) {
        Scratch memory = new Scratch(device);
        Tile tile = Tile.row(TWO_LEVEL_GROUP);
        return guarded(memory, () -> {
            DeviceMatrix maxima = maxima(memory, weight, tile);
            DeviceMatrix scales = memory.matrix("scales", DType.F32, maxima.rows(), maxima.columns());
            ranges.scales(maxima, Rule.QUOTIENT, E2M1_MOST, scaleType, scales);
            DeviceMatrix all = memory.floats("scale of scales", global);
            DeviceMatrix scaleCodes = memory.matrix("codes of scales", DType.U8, scales.rows(), scales.columns());
            codec.encode(scales, Scaling.times(all, Tile.WHOLE), DType.F32, Codec.E4M3, E4M3_EPSILON, scaleCodes);
            codec.decode(scaleCodes, Codec.E4M3, Scaling.over(all, Tile.WHOLE), scales);
            return elements(memory, weight, Codec.E2M1, scales, tile, scaleCodes, maxima);
        });
    }

    /**
     * MXFP4 and MXFP8 (OCP MX specification): elements with a power of two for 32 of them.
     *
     * @param elements E2M1 or E4M3
     */
    public EncodedWeight microscaled(DeviceMatrix weight, Codec elements) {
        Scratch memory = new Scratch(device);
        Tile tile = Tile.row(MICROSCALED_GROUP);
        // The exponent of the largest element: of 6 and of 448.
        float most = elements == Codec.E2M1 ? 4 : 256;
        return guarded(memory, () -> {
            DeviceMatrix maxima = maxima(memory, weight, tile);
            DeviceMatrix scaleCodes = memory.matrix("codes of scales", DType.U8, maxima.rows(), maxima.columns());
            DeviceMatrix unit = memory.floats("unit", most, 1);
            codec.encode(maxima, Scaling.over(unit.columns(0, 1), Tile.WHOLE), DType.F32, Codec.E8M0, 0, scaleCodes);
            DeviceMatrix scales = memory.matrix("scales", DType.F32, maxima.rows(), maxima.columns());
            codec.decode(scaleCodes, Codec.E8M0, Scaling.times(unit.columns(1, 1), Tile.WHOLE), scales);
            return elements(memory, weight, elements, scales, tile, scaleCodes, maxima);
        });
    }

    private EncodedWeight elements(
            Scratch memory,
            DeviceMatrix weight,
            Codec type,
            DeviceMatrix scales,
            Tile tile,
            DeviceMatrix scaleCodes,
            DeviceMatrix maxima) {
        DeviceMatrix codes = memory.matrix("codes", DType.U8, weight.rows(), weight.columns());
        codec.encode(weight, Scaling.over(scales, tile), DType.F32, type, 0, codes);
        Scaling back = Scaling.times(scales, tile);
        return new EncodedWeight(codes, scaleCodes, maxima, target -> codec.decode(codes, type, back, target), memory);
    }

    /**
     * The four-bit types of bitsandbytes: values of a table, times the largest magnitude of a block; blocks run over the rows
     * one after another.
     *
     * @param weight dense
     */
    public EncodedWeight table(DeviceMatrix weight, CodeTable table, int blockSize) {
        Scratch memory = new Scratch(device);
        Tile tile = Tile.row(blockSize);
        DeviceMatrix flat = flat(weight);
        return guarded(memory, () -> {
            DeviceMatrix maxima = maxima(memory, flat, tile);
            DeviceMatrix codes = lookUp(memory, flat, 0, table, maxima, tile);
            Consumer<DeviceMatrix> decoder = decoder(memory, codes, table, maxima, tile, 0);
            return new EncodedWeight(codes.reshape(weight.rows(), weight.columns()), maxima, maxima, decoder, memory);
        });
    }

    /**
     * The same with the magnitudes encoded by {@link CodeTable#DYNAMIC}, in blocks of their own, after an offset has been taken
     * from them.
     *
     * @param nestedBlock magnitudes of a block
     */
    public EncodedWeight doubleTable(
            DeviceMatrix weight, CodeTable table, int blockSize, int nestedBlock, float offset) {
        Scratch memory = new Scratch(device);
        Tile tile = Tile.row(blockSize);
        Tile nested = Tile.row(nestedBlock);
        DeviceMatrix flat = flat(weight);
        return guarded(memory, () -> {
            DeviceMatrix magnitudes = maxima(memory, flat, tile);
            DeviceMatrix codes = lookUp(memory, flat, 0, table, magnitudes, tile);
            DeviceMatrix maxima =
                    memory.matrix("largest differences", DType.F32, nested.down(magnitudes), nested.across(magnitudes));
            ranges.tileAbsmax(magnitudes, nested, offset, maxima);
            DeviceMatrix scales = lookUp(memory, magnitudes, offset, CodeTable.DYNAMIC, maxima, nested);
            decoder(memory, scales, CodeTable.DYNAMIC, maxima, nested, offset).accept(magnitudes);
            Consumer<DeviceMatrix> decoder = decoder(memory, codes, table, magnitudes, tile, 0);
            return new EncodedWeight(codes.reshape(weight.rows(), weight.columns()), scales, maxima, decoder, memory);
        });
    }

    private DeviceMatrix lookUp(
            Scratch memory, DeviceMatrix values, float offset, CodeTable table, DeviceMatrix maxima, Tile tile) {
        DeviceMatrix inverses = memory.matrix("inverse magnitudes", DType.F32, maxima.rows(), maxima.columns());
        ranges.scales(maxima, Rule.INVERSE, 1, DType.F32, inverses);
        DeviceMatrix names = memory.matrix("codes of a table", DType.U8, 1, table.codes().length);
        device.stream().copyToDevice(MemorySegment.ofArray(table.codes()), names);
        Search search = new Search(memory.floats("thresholds", table.thresholds()), names);
        DeviceMatrix codes = memory.matrix("codes", DType.U8, values.rows(), values.columns());
        codec.encode(values, offset, Scaling.times(inverses, tile), search, codes);
        return codes;
    }

    private Consumer<DeviceMatrix> decoder(
            Scratch memory, DeviceMatrix codes, CodeTable table, DeviceMatrix scales, Tile tile, float offset) {
        DeviceMatrix values = memory.floats("table", table.values());
        return target -> codec.decode(codes, values, Scaling.times(scales, tile), offset, flat(target));
    }

    private static DeviceMatrix flat(DeviceMatrix matrix) {
        return matrix.reshape(1, Math.toIntExact(matrix.elementCount()));
    }

    private DeviceMatrix maxima(Scratch memory, DeviceMatrix matrix, Tile tile) {
        DeviceMatrix maxima = memory.matrix("largest magnitudes", DType.F32, tile.down(matrix), tile.across(matrix));
        if (maxima.elementCount() == 1) {
            // Many warps for one tile: pieces of rows first.
            Tile piece = Tile.row(PIECE);
            DeviceMatrix pieces =
                    memory.matrix("largest magnitudes", DType.F32, piece.down(matrix), piece.across(matrix));
            ranges.tileAbsmax(matrix, piece, 0, pieces);
            ranges.tileAbsmax(pieces, Tile.WHOLE, 0, maxima);
        } else {
            ranges.tileAbsmax(matrix, tile, 0, maxima);
        }
        return maxima;
    }

    /** The largest magnitude of a whole matrix. Waits for the device. */
    public float absmax(DeviceMatrix matrix) {
        float[] value = new float[1];
        try (Scratch memory = new Scratch(device)) {
            device.stream().copyToHost(maxima(memory, matrix, Tile.WHOLE), MemorySegment.ofArray(value));
            device.stream().synchronize();
        }
        return value[0];
    }

    /** The scale of all scales that {@link #twoLevel} takes for weights of this largest magnitude, in their type. */
    public static float globalScale(float absmax, Function<Float, Float> rounding) {
        return absmax == 0 ? 1 : rounding.apply(rounding.apply(1 / absmax) * (E4M3_MOST * E2M1_MOST));
    }

    private static EncodedWeight guarded(Scratch memory, Supplier<EncodedWeight> work) {
        try {
            return work.get();
        } catch (RuntimeException | Error failure) {
            memory.close();
            throw failure;
        }
    }
}
