package io.gpuquant.evaluate;

import io.gpuquant.InputException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.format.GptqLinear;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.format.GptqTensors;
import io.gpuquant.format.TensorReader;
import io.gpuquant.kernels.PackKernels;
import io.gpuquant.model.WeightSource;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;

/** The weights of a GPTQ checkpoint. */
final class GptqWeights extends PackedLinearWeights<GptqLinear> {

    private final TensorReader reader;
    private final GptqScheme scheme;
    private final PackKernels kernels;

    GptqWeights(Device device, TensorReader reader, GptqScheme scheme, DType linearType, WeightSource others) {
        super(device, linearType, others);
        this.reader = reader;
        this.scheme = scheme;
        kernels = new PackKernels(device.stream());
    }

    @Override
    boolean isPacked(String module) {
        return reader.find(new GptqTensors(module).codes()).isPresent();
    }

    @Override
    GptqLinear read(String module) {
        return GptqLinear.read(reader, new GptqTensors(module), scheme);
    }

    @Override
    String scalesName(String module) {
        return new GptqTensors(module).scales();
    }

    @Override
    int groups(GptqLinear linear) {
        return rows(linear.scales());
    }

    @Override
    void dequantize(GptqLinear linear, String module, Room room, DeviceMatrix target) {
        requireGroupsInRange(linear, new GptqTensors(module));
        int groups = groups(linear);
        PackKernels.PackedLinear packed = new PackKernels.PackedLinear(
                room.upload(linear.codes(), rows(linear.codes())),
                room.upload(linear.zeros(), groups),
                room.upload(linear.scales(), groups),
                room.upload(linear.groups(), 1),
                scheme.bits(),
                scheme.version().storedOffset());
        kernels.dequantize(packed, target);
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

    private static int rows(HostTensor tensor) {
        return Math.toIntExact(tensor.shape().extent(0));
    }
}
