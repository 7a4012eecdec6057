package io.gpuquant.evaluate;

import io.gpuquant.InputException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
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
import io.gpuquant.tensor.HostTensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The weights of an AWQ checkpoint: quantized linears are unpacked on the device, everything else comes from another source.
 */
final class AwqWeights implements WeightSource {

    private static final String WEIGHT = ".weight";
    private static final int PER_WORD = 8;

    private final Device device;
    private final TensorReader reader;
    private final AwqScheme scheme;
    private final DType linearType;
    private final WeightSource others;
    private final NibbleKernels kernels;

    /**
     * @param linearType the type that the linears' weights had before they were quantized
     * @param others gives the tensors that are not quantized
     */
    AwqWeights(Device device, TensorReader reader, AwqScheme scheme, DType linearType, WeightSource others) {
        this.device = device;
        this.reader = reader;
        this.scheme = scheme;
        this.linearType = linearType;
        this.others = others;
        kernels = new NibbleKernels(device.stream());
    }

    @Override
    public DType dtype(String tensor) {
        return isQuantized(tensor) ? linearType : others.dtype(tensor);
    }

    @Override
    public void load(String tensor, DeviceMatrix target) {
        if (!isQuantized(tensor)) {
            others.load(tensor, target);
            return;
        }
        AwqLinear linear = AwqLinear.read(reader, names(tensor), scheme);
        if (linear.out() != target.rows() || linear.in() != target.columns()) {
            throw new InputException(tensor + " is quantized as " + linear.in() + " to " + linear.out()
                    + " features, but config.json calls for " + target.columns() + " to " + target.rows());
        }
        List<DeviceBuffer> owned = new ArrayList<>();
        try {
            int groups = scheme.groups(linear.in());
            kernels.dequantize(
                    unpackCodes(owned, linear),
                    scales(owned, linear).rows(0, groups),
                    unpackZeros(owned, linear).rows(0, groups),
                    scheme.groupSize(linear.in()),
                    target);
        } finally {
            owned.forEach(DeviceBuffer::close);
        }
    }

    private boolean isQuantized(String tensor) {
        return tensor.endsWith(WEIGHT) && reader.find(names(tensor).codes()).isPresent();
    }

    private static AwqTensors names(String tensor) {
        return new AwqTensors(tensor.substring(0, tensor.length() - WEIGHT.length()));
    }

    private DeviceMatrix unpackCodes(List<DeviceBuffer> owned, AwqLinear linear) {
        DeviceMatrix codes = allocate(owned, "codes", DType.U8, linear.out(), linear.in());
        Direction direction = isGemm() ? Direction.ALONG_COLUMNS : Direction.ALONG_ROWS;
        kernels.unpack(
                upload(owned, linear.codes()), direction, scheme.version().order(), codes);
        return codes;
    }

    private DeviceMatrix unpackZeros(List<DeviceBuffer> owned, AwqLinear linear) {
        DeviceMatrix words = upload(owned, linear.zeros());
        int groups = isGemm() ? words.rows() : words.columns() * PER_WORD;
        DeviceMatrix zeros = allocate(owned, "zero points", DType.U8, groups, linear.out());
        Direction direction = isGemm() ? Direction.ALONG_ROWS : Direction.ALONG_COLUMNS;
        kernels.unpack(words, direction, scheme.version().order(), zeros);
        return zeros;
    }

    private DeviceMatrix scales(List<DeviceBuffer> owned, AwqLinear linear) {
        if (isGemm()) {
            return upload(owned, linear.scales());
        }
        int out = linear.out();
        int groups = scheme.groups(linear.in());
        int stride = scheme.paddedZeroWords(linear.in()) * PER_WORD;
        DeviceMatrix scales = allocate(owned, "scales", DType.F16, groups, out);
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

    private DeviceMatrix upload(List<DeviceBuffer> owned, HostTensor tensor) {
        DeviceMatrix matrix = allocate(
                owned,
                tensor.name(),
                tensor.dtype(),
                Math.toIntExact(tensor.shape().extent(0)),
                Math.toIntExact(tensor.shape().extent(1)));
        device.stream().copyToDevice(tensor.data(), matrix);
        return matrix;
    }

    private DeviceMatrix allocate(List<DeviceBuffer> owned, String name, DType dtype, int rows, int columns) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, name, dtype, rows, columns);
        owned.add(matrix.buffer());
        return matrix;
    }
}
