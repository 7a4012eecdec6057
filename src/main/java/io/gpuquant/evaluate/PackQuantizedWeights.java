package io.gpuquant.evaluate;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.format.PackQuantizedLinear;
import io.gpuquant.format.PackQuantizedScheme;
import io.gpuquant.format.PackQuantizedTensors;
import io.gpuquant.format.TensorReader;
import io.gpuquant.kernels.BitStreamKernels;
import io.gpuquant.kernels.BitStreamKernels.Words;
import io.gpuquant.kernels.NibbleKernels;
import io.gpuquant.model.WeightSource;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** The weights of a compressed-tensors checkpoint in the format {@code pack-quantized}. */
final class PackQuantizedWeights extends PackedLinearWeights<PackQuantizedLinear> {

    private final Device device;
    private final TensorReader reader;
    private final PackQuantizedScheme scheme;
    private final BitStreamKernels streams;
    private final NibbleKernels weightsOfCodes;

    PackQuantizedWeights(
            Device device, TensorReader reader, PackQuantizedScheme scheme, DType linearType, WeightSource others) {
        super(device, linearType, others);
        this.device = device;
        this.reader = reader;
        this.scheme = scheme;
        streams = new BitStreamKernels(device.stream());
        weightsOfCodes = new NibbleKernels(device.stream());
    }

    @Override
    boolean isPacked(String module) {
        return reader.find(new PackQuantizedTensors(module).codes()).isPresent();
    }

    @Override
    PackQuantizedLinear read(String module) {
        return PackQuantizedLinear.read(reader, new PackQuantizedTensors(module), scheme);
    }

    @Override
    String scalesName(String module) {
        return new PackQuantizedTensors(module).scales();
    }

    @Override
    int groups(PackQuantizedLinear linear) {
        return scheme.groups(linear.in());
    }

    @Override
    void dequantize(PackQuantizedLinear linear, String module, Room room, DeviceMatrix target) {
        DeviceMatrix codes = room.allocate("codes", DType.U8, linear.out(), linear.in());
        streams.unpack(room.upload(linear.codes()), scheme.bits(), Words.IN_ROWS, codes);
        weightsOfCodes.dequantize(
                codes, scales(room, linear), zeros(room, linear), scheme.groupSize(linear.in()), target);
    }

    private DeviceMatrix zeros(Room room, PackQuantizedLinear linear) {
        DeviceMatrix zeros = room.allocate("zero points", DType.U8, groups(linear), linear.out());
        HostTensor stored = linear.zeros();
        if (stored == null) {
            byte[] middle = new byte[Math.toIntExact(zeros.elementCount())];
            Arrays.fill(middle, (byte) linear.zero(0, 0));
            device.stream().copyToDevice(MemorySegment.ofArray(middle), zeros);
        } else {
            streams.unpack(room.upload(stored), scheme.bits(), Words.IN_COLUMNS, zeros);
        }
        return zeros;
    }

    /** In F32, which holds scales of every type, with a group's side by side. */
    private DeviceMatrix scales(Room room, PackQuantizedLinear linear) {
        DeviceMatrix scales = room.allocate("scales", DType.F32, groups(linear), linear.out());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment transposed = arena.allocate(scales.byteSize(), Float.BYTES);
            for (int group = 0; group < scales.rows(); group++) {
                for (int output = 0; output < linear.out(); output++) {
                    long index = (long) group * linear.out() + output;
                    transposed.set(Elements.FLOAT, index * Float.BYTES, linear.scale(group, output));
                }
            }
            device.stream().copyToDevice(transposed, scales);
        }
        return scales;
    }
}
