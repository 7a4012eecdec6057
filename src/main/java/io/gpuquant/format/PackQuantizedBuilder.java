package io.gpuquant.format;

import io.gpuquant.safetensors.TensorSpec;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A linear in the format {@code pack-quantized} that is put together. */
final class PackQuantizedBuilder implements LinearBuilder {

    private final PackQuantizedScheme scheme;
    private final int in;
    private final PackQuantizedTensors names;
    private final Map<String, HostTensor> tensors = new LinkedHashMap<>();
    private final MemorySegment codes;
    private final MemorySegment scales;

    PackQuantizedBuilder(PackQuantizedScheme scheme, String module, int in, int out, Arena arena) {
        this.scheme = scheme;
        this.in = in;
        names = new PackQuantizedTensors(module);
        for (TensorSpec spec : names.specs(scheme, in, out)) {
            tensors.put(
                    spec.name(),
                    new HostTensor(spec.name(), spec.dtype(), spec.shape(), arena.allocate(spec.byteSize())));
        }
        codes = data(names.codes());
        scales = data(names.scales());
        data(names.shape()).set(Elements.LONG, 0, out);
        data(names.shape()).set(Elements.LONG, Long.BYTES, in);
    }

    private MemorySegment data(String name) {
        HostTensor tensor = tensors.get(name);
        if (tensor == null) {
            throw new IllegalStateException("symmetric linears have no " + name);
        }
        return tensor.data();
    }

    @Override
    public void code(int inputFeature, int outputFeature, int code) {
        new BitStream(codes, outputFeature * scheme.words(in), 1, scheme.bits()).set(inputFeature, code);
    }

    @Override
    public void zero(int group, int outputFeature, int zero) {
        if (!scheme.symmetric()) {
            new BitStream(data(names.zeros()), group, scheme.groups(in), scheme.bits()).set(outputFeature, zero);
        } else if (zero != scheme.middle()) {
            throw new IllegalArgumentException("a symmetric grid with the zero point " + zero);
        }
    }

    @Override
    public void scale(int group, int outputFeature, float scale) {
        Elements.setFloat(scales, scheme.scaleType(), (long) outputFeature * scheme.groups(in) + group, scale);
    }

    @Override
    public List<HostTensor> tensors() {
        return List.copyOf(tensors.values());
    }
}
