package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.AwqKernels;
import io.gpuquant.kernels.AwqKernels.Rounding;
import io.gpuquant.kernels.ReductionKernels;
import io.gpuquant.model.LayerPass;
import io.gpuquant.model.StageWeights;
import io.gpuquant.quantize.CandidateLoss;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/**
 * The squared error of what a module adds to the residual stream, the attention or the MLP, when the linears of its first
 * stage are rounded and that of its second stays as it is: AutoAWQ's measure. Zero where there are no inputs.
 */
final class ModuleLoss implements CandidateLoss, AutoCloseable {

    private final LayerPass.Module module;
    private final List<DeviceMatrix> inputs;
    private final StageWeights in;
    private final StageWeights out;
    private final AwqKernels kernels;
    private final List<DeviceBuffer> owned = new ArrayList<>();
    private final List<DeviceMatrix> references = new ArrayList<>();
    private final DeviceMatrix rounded;
    private final DeviceMatrix result;

    /**
     * @param module closed with this
     * @param inputs operand type [tokens, in] each; may be none
     */
    ModuleLoss(Device device, LayerPass.Module module, List<DeviceMatrix> inputs, StageWeights in, StageWeights out) {
        this.module = module;
        this.inputs = inputs;
        this.in = in;
        this.out = out;
        kernels = new AwqKernels(device.stream());
        int width = out.stacked().rows();
        int most = inputs.stream().mapToInt(DeviceMatrix::rows).max().orElse(0);
        rounded = allocate(
                device,
                "rounded weights",
                in.stacked().dtype(),
                in.stacked().rows(),
                in.stacked().columns());
        result = allocate(device, "module output", DType.F32, most, width);
        for (DeviceMatrix x : inputs) {
            DeviceMatrix reference = allocate(device, "module output", DType.F32, x.rows(), width);
            module.run(x, in, out, reference);
            references.add(reference);
        }
    }

    private DeviceMatrix allocate(Device device, String name, DType dtype, int rows, int columns) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, name, dtype, rows, columns);
        owned.add(matrix.buffer());
        return matrix;
    }

    @Override
    public int pieces() {
        return inputs.size();
    }

    @Override
    public void add(ReductionKernels.Sums losses, int candidate, Rounding rounding) {
        if (inputs.isEmpty()) {
            return;
        }
        kernels.roundedWeights(rounding, rounded);
        StageWeights changed = new StageWeights(in.stage(), rounded, in.bias());
        for (int i = 0; i < inputs.size(); i++) {
            DeviceMatrix x = inputs.get(i);
            DeviceMatrix y = result.rows(0, x.rows());
            module.run(x, changed, out, y);
            losses.addSquaredDifference(candidate, y, references.get(i));
        }
    }

    @Override
    public void close() {
        owned.forEach(DeviceBuffer::close);
        module.close();
    }
}
