package io.gpuquant.evaluate;

import io.gpuquant.InputException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.format.ElementLinear;
import io.gpuquant.format.ElementScheme;
import io.gpuquant.format.ElementType;
import io.gpuquant.format.ScaledLinear;
import io.gpuquant.format.TableLinear;
import io.gpuquant.format.TensorReader;
import io.gpuquant.kernels.CodecKernels;
import io.gpuquant.kernels.CodecKernels.Codec;
import io.gpuquant.kernels.CodecKernels.Scaling;
import io.gpuquant.kernels.NibbleKernels;
import io.gpuquant.kernels.NibbleKernels.Direction;
import io.gpuquant.kernels.Tile;
import io.gpuquant.model.WeightSource;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** The weights of a checkpoint whose linears are elements of narrow types, decoded on the device. */
final class ElementWeights implements WeightSource {

    private static final String WEIGHT = ".weight";

    /** The first of two elements in the low nibble of a byte, and in the high one. */
    private static final int LOW_FIRST = 0x76543210;

    private static final int HIGH_FIRST = 0x67452301;
    private static final int PER_WORD = 8;

    private final Device device;
    private final TensorReader reader;
    private final ElementScheme scheme;
    private final WeightSource others;
    private final CodecKernels codec;
    private final NibbleKernels nibbles;

    /**
     * @param others gives the tensors that are not quantized
     */
    ElementWeights(Device device, TensorReader reader, ElementScheme scheme, WeightSource others) {
        this.device = device;
        this.reader = reader;
        this.scheme = scheme;
        this.others = others;
        codec = new CodecKernels(device.stream());
        nibbles = new NibbleKernels(device.stream());
    }

    @Override
    public DType dtype(String tensor) {
        return isQuantized(tensor) ? scheme.weightType() : others.dtype(tensor);
    }

    @Override
    public void require(String tensor, int rows, int columns) {
        if (isQuantized(tensor)) {
            read(tensor, rows, columns);
        } else {
            others.require(tensor, rows, columns);
        }
    }

    @Override
    public void load(String tensor, DeviceMatrix target) {
        if (!isQuantized(tensor)) {
            others.load(tensor, target);
            return;
        }
        ElementLinear linear = read(tensor, target.rows(), target.columns());
        linear.fault().ifPresent(fault -> {
            throw new InputException(fault + "; the checkpoint is damaged");
        });
        List<DeviceBuffer> owned = new ArrayList<>();
        try {
            switch (linear) {
                case ScaledLinear scaled -> decode(owned, scaled, target);
                case TableLinear table -> decode(owned, table, target);
            }
        } finally {
            owned.forEach(DeviceBuffer::close);
        }
    }

    private ElementLinear read(String tensor, int rows, int columns) {
        ElementLinear linear = scheme.read(reader, module(tensor));
        if (linear.out() != rows || linear.in() != columns) {
            throw new InputException(tensor + " is quantized as " + linear.in() + " to " + linear.out()
                    + " features, but config.json calls for " + columns + " to " + rows
                    + "; use the config.json that came with the checkpoint");
        }
        return linear;
    }

    private void decode(List<DeviceBuffer> owned, ScaledLinear linear, DeviceMatrix target) {
        boolean paired = linear.type() == ElementType.E2M1;
        DeviceMatrix codes = paired
                ? unpack(owned, linear.codes(), linear.out(), linear.in(), LOW_FIRST)
                : upload(
                        owned,
                        "codes",
                        DType.U8,
                        linear.out(),
                        linear.in(),
                        linear.codes().data());
        float[] values = linear.scaleValues();
        int across = linear.across();
        DeviceMatrix scales = floats(owned, "scales", values.length / across, across, values);
        Tile tile = new Tile(linear.scales().tileRows(), linear.scales().tileColumns());
        codec.decode(codes, codecOf(linear.type()), Scaling.times(scales, tile), target);
    }

    private void decode(List<DeviceBuffer> owned, TableLinear linear, DeviceMatrix target) {
        int count = Math.multiplyExact(linear.out(), linear.in());
        DeviceMatrix codes = unpack(owned, linear.codes(), 1, count, HIGH_FIRST);
        DeviceMatrix table =
                upload(owned, "table", DType.F32, 1, 16, linear.table().data());
        float[] absmax = linear.scaleValues();
        Scaling scaling =
                Scaling.times(floats(owned, "scales", 1, absmax.length, absmax), Tile.row(linear.blockSize()));
        codec.decode(codes, table, scaling, 0, target.reshape(1, count));
    }

    private static Codec codecOf(ElementType type) {
        return switch (type) {
            case INT8 -> Codec.INT8;
            case E4M3 -> Codec.E4M3;
            case E2M1 -> Codec.E2M1;
            case E8M0 -> Codec.E8M0;
        };
    }

    private DeviceMatrix unpack(List<DeviceBuffer> owned, HostTensor packed, int rows, int columns, int order) {
        if (columns % PER_WORD != 0) {
            throw new InputException(packed.name() + " holds " + rows + " x " + columns
                    + " elements, and only multiples of " + PER_WORD + " can be computed with");
        }
        DeviceMatrix words = upload(owned, "packed codes", DType.I32, rows, columns / PER_WORD, packed.data());
        DeviceMatrix codes = allocate(owned, "codes", DType.U8, rows, columns);
        nibbles.unpack(words, Direction.ALONG_ROWS, order, codes);
        return codes;
    }

    private DeviceMatrix floats(List<DeviceBuffer> owned, String name, int rows, int columns, float[] values) {
        return upload(owned, name, DType.F32, rows, columns, MemorySegment.ofArray(values));
    }

    private DeviceMatrix upload(
            List<DeviceBuffer> owned, String name, DType dtype, int rows, int columns, MemorySegment bytes) {
        DeviceMatrix matrix = allocate(owned, name, dtype, rows, columns);
        device.stream().copyToDevice(bytes, matrix);
        return matrix;
    }

    private DeviceMatrix allocate(List<DeviceBuffer> owned, String name, DType dtype, int rows, int columns) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, name, dtype, rows, columns);
        owned.add(matrix.buffer());
        return matrix;
    }

    private boolean isQuantized(String tensor) {
        return tensor.endsWith(WEIGHT) && scheme.holds(reader, module(tensor));
    }

    private static String module(String tensor) {
        return tensor.substring(0, tensor.length() - WEIGHT.length());
    }
}
