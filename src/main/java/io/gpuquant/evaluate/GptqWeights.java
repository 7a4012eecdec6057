package io.gpuquant.evaluate;

import io.gpuquant.InputException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.format.GptqLinear;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.format.GptqTensors;
import io.gpuquant.format.TensorReader;
import io.gpuquant.kernels.PackKernels;
import io.gpuquant.model.WeightSource;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;
import java.util.ArrayList;
import java.util.List;

/**
 * The weights of a GPTQ checkpoint: quantized linears are unpacked on the device, everything else comes from another
 * source.
 */
final class GptqWeights implements WeightSource {

    private static final String WEIGHT = ".weight";

    private final Device device;
    private final TensorReader reader;
    private final GptqScheme scheme;
    private final DType linearType;
    private final WeightSource others;
    private final PackKernels kernels;

    /**
     * @param linearType the type that the linears' weights had before they were quantized
     * @param others gives the tensors that are not quantized
     */
    GptqWeights(Device device, TensorReader reader, GptqScheme scheme, DType linearType, WeightSource others) {
        this.device = device;
        this.reader = reader;
        this.scheme = scheme;
        this.linearType = linearType;
        this.others = others;
        kernels = new PackKernels(device.stream());
    }

    @Override
    public DType dtype(String tensor) {
        return isQuantized(tensor) ? linearType : others.dtype(tensor);
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
        GptqLinear linear = read(tensor, target.rows(), target.columns());
        requireGroupsInRange(linear, names(tensor));
        requireFiniteScales(linear, names(tensor));
        List<DeviceBuffer> owned = new ArrayList<>();
        try {
            int groups = Math.toIntExact(linear.scales().shape().extent(0));
            PackKernels.PackedLinear packed = new PackKernels.PackedLinear(
                    upload(owned, linear.codes(), rows(linear.codes())),
                    upload(owned, linear.zeros(), groups),
                    upload(owned, linear.scales(), groups),
                    upload(owned, linear.groups(), 1),
                    scheme.bits(),
                    scheme.version().storedOffset());
            kernels.dequantize(packed, target);
        } finally {
            owned.forEach(DeviceBuffer::close);
        }
    }

    private GptqLinear read(String tensor, int rows, int columns) {
        GptqLinear linear = GptqLinear.read(reader, names(tensor), scheme);
        if (linear.out() != rows || linear.in() != columns) {
            throw new InputException(tensor + " is quantized as " + linear.in() + " to " + linear.out()
                    + " features, but config.json calls for " + columns + " to " + rows
                    + "; use the config.json that came with the checkpoint");
        }
        return linear;
    }

    private boolean isQuantized(String tensor) {
        return tensor.endsWith(WEIGHT) && reader.find(names(tensor).codes()).isPresent();
    }

    private static GptqTensors names(String tensor) {
        return new GptqTensors(tensor.substring(0, tensor.length() - WEIGHT.length()));
    }

    /** A group beyond the scales would send the kernel outside its buffers. */
    private static void requireGroupsInRange(GptqLinear linear, GptqTensors names) {
        long groups = linear.scales().shape().extent(0);
        for (int i = 0; i < linear.in(); i++) {
            if (linear.group(i) < 0 || linear.group(i) >= groups) {
                throw new InputException(names.groups() + " names group " + linear.group(i) + " for input feature " + i
                        + ", but there are " + groups + "; the checkpoint is damaged");
            }
        }
    }

    private static void requireFiniteScales(GptqLinear linear, GptqTensors names) {
        long groups = linear.scales().shape().extent(0);
        for (int group = 0; group < groups; group++) {
            for (int i = 0; i < linear.out(); i++) {
                if (!Float.isFinite(linear.scale(group, i))) {
                    throw new InputException(names.scales() + " holds a NaN or an infinity for group " + group
                            + " of output feature " + i + "; the checkpoint is damaged");
                }
            }
        }
    }

    private static int rows(HostTensor tensor) {
        return Math.toIntExact(tensor.shape().extent(0));
    }

    private DeviceMatrix upload(List<DeviceBuffer> owned, HostTensor tensor, int rows) {
        int columns = Math.toIntExact(tensor.shape().elementCount() / rows);
        DeviceMatrix matrix = DeviceMatrix.allocate(device, tensor.name(), tensor.dtype(), rows, columns);
        owned.add(matrix.buffer());
        device.stream().copyToDevice(tensor.data(), matrix);
        return matrix;
    }
}
