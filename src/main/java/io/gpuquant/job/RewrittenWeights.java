package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.model.WeightSource;
import io.gpuquant.safetensors.CheckpointWriter;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;
import java.util.Set;

/** The tensors that a method has changed without quantizing them, from the output; everything else from another source. */
final class RewrittenWeights implements WeightSource {

    private final Device device;
    private final CheckpointWriter writer;
    private final Set<String> rewritten;
    private final WeightSource others;

    RewrittenWeights(Device device, CheckpointWriter writer, Set<String> rewritten, WeightSource others) {
        this.device = device;
        this.writer = writer;
        this.rewritten = rewritten;
        this.others = others;
    }

    @Override
    public DType dtype(String tensor) {
        return rewritten.contains(tensor) ? writer.layout().info(tensor).dtype() : others.dtype(tensor);
    }

    @Override
    public void load(String tensor, DeviceMatrix target) {
        if (!rewritten.contains(tensor)) {
            others.load(tensor, target);
            return;
        }
        HostTensor host = writer.read(tensor);
        DeviceMatrix raw = DeviceMatrix.allocate(device, tensor, host.dtype(), target.rows(), target.columns());
        try (var buffer = raw.buffer()) {
            device.stream().copyToDevice(host.data(), raw);
            new ConvertKernels(device.stream()).convert(raw, target);
        }
    }
}
