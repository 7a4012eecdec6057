package io.gpuquant.format;

import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.lang.foreign.Arena;
import java.util.List;

/** A linear in a layout of AWQ that is put together. */
final class AwqBuilder implements LinearBuilder {

    private final AwqLinear linear;

    AwqBuilder(AwqScheme scheme, String module, int in, int out, Arena arena) {
        List<HostTensor> tensors = new AwqTensors(module)
                .specs(scheme, in, out).stream()
                        .map(spec -> new HostTensor(
                                spec.name(), spec.dtype(), spec.shape(), arena.allocate(spec.byteSize())))
                        .toList();
        linear = new AwqLinear(scheme, in, out, tensors.get(0), tensors.get(1), tensors.get(2));
    }

    @Override
    public void code(int inputFeature, int outputFeature, int code) {
        linear.codeStream(inputFeature, outputFeature).set(linear.codeIndex(inputFeature, outputFeature), code);
    }

    @Override
    public void zero(int group, int outputFeature, int zero) {
        linear.zeroStream(group, outputFeature).set(linear.zeroIndex(group, outputFeature), zero);
    }

    @Override
    public void scale(int group, int outputFeature, float scale) {
        Elements.setFloat(linear.scales().data(), DType.F16, linear.scaleIndex(group, outputFeature), scale);
    }

    @Override
    public List<HostTensor> tensors() {
        return List.of(linear.codes(), linear.zeros(), linear.scales());
    }
}
