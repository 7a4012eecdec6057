package io.gpuquant.format;

import io.gpuquant.safetensors.TensorSpec;
import io.gpuquant.tensor.DType;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Optional;

/**
 * What every quantized linear of a compressed-tensors checkpoint in the format {@code pack-quantized} has in common.
 *
 * @param bits of a code, 2 to 8
 * @param groupSize input features that share a scale; -1 for all of a linear
 * @param symmetric whether every zero point is {@code 2^(bits-1)}; zero points are not stored then
 * @param scaleType of the scales that are written, F16 or BF16; readers take what they find
 */
public record PackQuantizedScheme(int bits, int groupSize, boolean symmetric, DType scaleType) implements TargetScheme {

    private static final int FEWEST_BITS = 2;
    private static final int MOST_BITS = 8;

    public PackQuantizedScheme {
        if (bits < FEWEST_BITS || bits > MOST_BITS) {
            throw new IllegalArgumentException(bits + " bits");
        }
        if (groupSize != -1 && groupSize < 1) {
            throw new IllegalArgumentException("groups of " + groupSize);
        }
        if (scaleType != DType.F16 && scaleType != DType.BF16) {
            throw new IllegalArgumentException("scales of type " + scaleType);
        }
    }

    @Override
    public Optional<String> obstacle(int in, int out) {
        return in % groupSize(in) == 0
                ? Optional.empty()
                : Optional.of(in + " input features, which groups of " + groupSize + " do not divide");
    }

    /** Biases keep their type. */
    @Override
    public DType biasType(DType original) {
        return original;
    }

    /** The zero point of a symmetric grid. */
    int middle() {
        return 1 << bits - 1;
    }

    /** Words that hold a stream of codes or zero points. */
    long words(int values) {
        return ((long) values * bits + Integer.SIZE - 1) / Integer.SIZE;
    }

    @Override
    public List<TensorSpec> specs(String module, int in, int out) {
        return new PackQuantizedTensors(module).specs(this, in, out);
    }

    @Override
    public String codes(String module) {
        return new PackQuantizedTensors(module).codes();
    }

    @Override
    public String zeros(String module) {
        return new PackQuantizedTensors(module).zeros();
    }

    @Override
    public String scales(String module) {
        return new PackQuantizedTensors(module).scales();
    }

    @Override
    public PackQuantizedLinear read(TensorReader reader, String module) {
        return PackQuantizedLinear.read(reader, new PackQuantizedTensors(module), this);
    }

    @Override
    public LinearBuilder builder(String module, int in, int out, Arena arena) {
        return new PackQuantizedBuilder(this, module, in, out, arena);
    }
}
