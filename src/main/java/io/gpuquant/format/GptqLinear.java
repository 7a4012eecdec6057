package io.gpuquant.format;

import io.gpuquant.InputException;
import io.gpuquant.safetensors.TensorSpec;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.util.List;

/**
 * A linear of a GPTQ checkpoint.
 *
 * @param in input features
 * @param out output features
 */
public record GptqLinear(
        GptqScheme scheme, int in, int out, HostTensor codes, HostTensor zeros, HostTensor scales, HostTensor groups)
        implements PackedLinear {

    /**
     * Finds the tensors of a linear and checks their types and shapes against each other.
     *
     * @throws InputException when one is missing or does not fit the others
     */
    public static GptqLinear read(TensorReader reader, GptqTensors names, GptqScheme scheme) {
        HostTensor codes = require(reader, names.codes());
        HostTensor zeros = require(reader, names.zeros());
        HostTensor scales = require(reader, names.scales());
        HostTensor groups = require(reader, names.groups());
        if (codes.shape().rank() != 2 || groups.shape().rank() != 1) {
            throw new InputException(names.codes() + " has shape " + codes.shape() + " and " + names.groups() + " "
                    + groups.shape() + ", which do not make a GPTQ linear; the checkpoint is damaged");
        }
        long in = groups.shape().extent(0);
        long out = codes.shape().extent(1);
        if (in < 1 || out < 1 || in > Integer.MAX_VALUE || out > Integer.MAX_VALUE) {
            throw new InputException(names.codes() + " has shape " + codes.shape() + ", which no linear has");
        }
        List<HostTensor> found = List.of(codes, zeros, scales, groups);
        List<TensorSpec> expected = names.specs(scheme, (int) in, (int) out);
        for (int i = 0; i < expected.size(); i++) {
            HostTensor tensor = found.get(i);
            TensorSpec spec = expected.get(i);
            if (tensor.dtype() != spec.dtype() || !tensor.shape().equals(spec.shape())) {
                throw new InputException(spec.name() + " is " + tensor.dtype() + tensor.shape() + ", but a "
                        + scheme.bits() + "-bit linear of " + in + " to " + out + " features in groups of "
                        + scheme.groupSize() + " has " + spec.dtype() + spec.shape());
            }
        }
        return new GptqLinear(scheme, (int) in, (int) out, codes, zeros, scales, groups);
    }

    private static HostTensor require(TensorReader reader, String name) {
        return reader.find(name)
                .orElseThrow(() -> new InputException("the checkpoint has no tensor " + name
                        + ", which belongs to a quantized linear; it is damaged or not finished"));
    }

    @Override
    public int code(int inputFeature, int outputFeature) {
        return new BitStream(codes.data(), outputFeature, out, scheme.bits()).value(inputFeature);
    }

    /** The zero point of a group, with what the format adds. */
    @Override
    public int zero(int group, int outputFeature) {
        long wordsPerGroup = (long) out * scheme.bits() / GptqScheme.WORD_BITS;
        int stored = new BitStream(zeros.data(), group * wordsPerGroup, 1, scheme.bits()).value(outputFeature);
        return stored + scheme.version().storedOffset() & (1 << scheme.bits()) - 1;
    }

    @Override
    public float scale(int group, int outputFeature) {
        return Elements.floatAt(scales.data(), scales.dtype(), (long) group * out + outputFeature);
    }

    @Override
    public int group(int inputFeature) {
        return groups.data().get(Elements.INT, (long) inputFeature * Integer.BYTES);
    }
}
