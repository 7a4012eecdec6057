package io.gpuquant.evaluate;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.format.AwqLinear;
import io.gpuquant.format.AwqScheme;
import io.gpuquant.format.AwqTensors;
import io.gpuquant.format.AwqVersion;
import io.gpuquant.format.TensorReader;
import io.gpuquant.kernels.NibbleKernels;
import io.gpuquant.kernels.NibbleKernels.Direction;
import io.gpuquant.model.WeightSource;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The weights of an AWQ checkpoint. */
final class AwqWeights extends PackedLinearWeights<AwqLinear> {

    private static final int PER_WORD = 8;

    private final Device device;
    private final TensorReader reader;
    private final AwqScheme scheme;
    private final NibbleKernels kernels;

    AwqWeights(Device device, TensorReader reader, AwqScheme scheme, DType linearType, WeightSource others) {
        super(device, linearType, others);
        this.device = device;
        this.reader = reader;
        this.scheme = scheme;
        kernels = new NibbleKernels(device.stream());
    }

    @Override
    boolean isPacked(String module) {
        return reader.find(new AwqTensors(module).codes()).isPresent();
    }

    @Override
    AwqLinear read(String module) {
        return AwqLinear.read(reader, new AwqTensors(module), scheme);
    }

    @Override
    String scalesName(String module) {
        return new AwqTensors(module).scales();
    }

    @Override
    int groups(AwqLinear linear) {
        return scheme.groups(linear.in());
    }

    @Override
    void dequantize(AwqLinear linear, String module, Room room, DeviceMatrix target) {
        int groups = groups(linear);
        kernels.dequantize(
                unpackCodes(room, linear),
                scales(room, linear).rows(0, groups),
                unpackZeros(room, linear).rows(0, groups),
                scheme.groupSize(linear.in()),
                target);
    }

    private DeviceMatrix unpackCodes(Room room, AwqLinear linear) {
        DeviceMatrix codes = room.allocate("codes", DType.U8, linear.out(), linear.in());
        Direction direction = isGemm() ? Direction.ALONG_COLUMNS : Direction.ALONG_ROWS;
        kernels.unpack(room.upload(linear.codes()), direction, scheme.version().order(), codes);
        return codes;
    }

    private DeviceMatrix unpackZeros(Room room, AwqLinear linear) {
        DeviceMatrix words = room.upload(linear.zeros());
        int groups = isGemm() ? words.rows() : words.columns() * PER_WORD;
        DeviceMatrix zeros = room.allocate("zero points", DType.U8, groups, linear.out());
        Direction direction = isGemm() ? Direction.ALONG_ROWS : Direction.ALONG_COLUMNS;
        kernels.unpack(words, direction, scheme.version().order(), zeros);
        return zeros;
    }

    private DeviceMatrix scales(Room room, AwqLinear linear) {
        if (isGemm()) {
            return room.upload(linear.scales());
        }
        int out = linear.out();
        int groups = scheme.groups(linear.in());
        int stride = scheme.paddedZeroWords(linear.in()) * PER_WORD;
        DeviceMatrix scales = room.allocate("scales", DType.F16, groups, out);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment transposed = arena.allocate(scales.byteSize(), Short.BYTES);
            for (int group = 0; group < groups; group++) {
                for (int output = 0; output < out; output++) {
                    short bits =
                            linear.scales().data().get(Elements.SHORT, ((long) output * stride + group) * Short.BYTES);
                    transposed.set(Elements.SHORT, ((long) group * out + output) * Short.BYTES, bits);
                }
            }
            device.stream().copyToDevice(transposed, scales);
        }
        return scales;
    }

    private boolean isGemm() {
        return scheme.version() == AwqVersion.GEMM;
    }
}
