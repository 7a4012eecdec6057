package io.gpuquant.format;

import io.gpuquant.InputException;
import io.gpuquant.safetensors.TensorSpec;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A linear of a compressed-tensors checkpoint in the format {@code pack-quantized}.
 *
 * @param in input features
 * @param out output features
 * @param zeros null where grids are symmetric
 */
public record PackQuantizedLinear(
        PackQuantizedScheme scheme,
        int in,
        int out,
        HostTensor codes,
        HostTensor scales,
        @Nullable HostTensor zeros) implements PackedLinear {

    /**
     * Finds the tensors of a linear and checks their types and shapes against each other.
     *
     * @throws InputException when one is missing or does not fit the others
     */
    public static PackQuantizedLinear read(
            TensorReader reader, PackQuantizedTensors names, PackQuantizedScheme scheme) {
        HostTensor codes = require(reader, names.codes());
        HostTensor scales = require(reader, names.scales());
        HostTensor shape = require(reader, names.shape());
        HostTensor zeros = scheme.symmetric() ? null : require(reader, names.zeros());
        if (reader.find(names.groups()).isPresent()) {
            throw new InputException(names.groups() + " says that groups are not runs of consecutive input features,"
                    + " which is not supported; use a checkpoint that was made with static groups");
        }
        if (shape.dtype() != DType.I64 || shape.shape().elementCount() != 2) {
            throw new InputException(names.shape() + " is " + shape.dtype() + shape.shape()
                    + ", but two I64 are the shape of a weight; the checkpoint is damaged");
        }
        long out = shape.data().get(Elements.LONG, 0);
        long in = shape.data().get(Elements.LONG, Long.BYTES);
        if (in < 1 || out < 1 || in > Integer.MAX_VALUE || out > Integer.MAX_VALUE) {
            throw new InputException(names.shape() + " says " + out + " x " + in + ", which no linear has");
        }
        if (!scales.dtype().isComputeType()) {
            throw new InputException(
                    names.scales() + " is of type " + scales.dtype() + "; only F32, F16 and BF16 scales can be read");
        }
        Map<String, HostTensor> found = zeros == null
                ? Map.of(names.codes(), codes, names.scales(), scales)
                : Map.of(names.codes(), codes, names.scales(), scales, names.zeros(), zeros);
        for (TensorSpec spec : names.specs(scheme, (int) in, (int) out)) {
            HostTensor tensor = found.getOrDefault(spec.name(), shape);
            DType dtype = spec.name().equals(names.scales()) ? scales.dtype() : spec.dtype();
            if (tensor.dtype() != dtype || !tensor.shape().equals(spec.shape())) {
                throw new InputException(spec.name() + " is " + tensor.dtype() + tensor.shape() + ", but a "
                        + scheme.bits() + "-bit linear of " + in + " to " + out + " features in groups of "
                        + scheme.groupSize() + " has " + dtype + spec.shape());
            }
        }
        return new PackQuantizedLinear(scheme, (int) in, (int) out, codes, scales, zeros);
    }

    private static HostTensor require(TensorReader reader, String name) {
        return reader.find(name)
                .orElseThrow(() -> new InputException("the checkpoint has no tensor " + name
                        + ", which belongs to a quantized linear; it is damaged or not finished"));
    }

    @Override
    public int code(int inputFeature, int outputFeature) {
        return new BitStream(codes.data(), outputFeature * scheme.words(in), 1, scheme.bits()).value(inputFeature);
    }

    @Override
    public int zero(int group, int outputFeature) {
        return zeros == null
                ? scheme.middle()
                : new BitStream(zeros.data(), group, scheme.groups(in), scheme.bits()).value(outputFeature);
    }

    @Override
    public float scale(int group, int outputFeature) {
        return Elements.floatAt(scales.data(), scales.dtype(), (long) outputFeature * scheme.groups(in) + group);
    }

    @Override
    public int group(int inputFeature) {
        return inputFeature / scheme.groupSize(in);
    }
}
