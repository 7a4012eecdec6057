package io.gpuquant.format;

import io.gpuquant.safetensors.TensorSpec;
import java.util.List;
import java.util.Optional;

/**
 * What every quantized linear of a GPTQ checkpoint has in common.
 *
 * @param bits of a code: 2, 3, 4 or 8
 * @param groupSize input features that share a scale; -1 for all of a linear
 * @param symmetric whether every zero point is {@code 2^(bits-1)}
 * @param descAct whether the groups of a linear are not runs of consecutive input features, so that engines must look at
 *     {@code g_idx}
 */
public record GptqScheme(int bits, int groupSize, boolean symmetric, boolean descAct, GptqVersion version)
        implements PackedScheme {

    /** Codes are packed into words of this many bits. */
    public static final int WORD_BITS = 32;

    public GptqScheme {
        if (bits != 2 && bits != 3 && bits != 4 && bits != 8) {
            throw new IllegalArgumentException(bits + " bits");
        }
        if (groupSize != -1 && groupSize < 1) {
            throw new IllegalArgumentException("groups of " + groupSize);
        }
    }

    /** Whether a linear's codes fill whole words in both directions, without which no engine can read it. */
    public boolean canPack(int in, int out) {
        return in % WORD_BITS == 0 && out % WORD_BITS == 0;
    }

    @Override
    public Optional<String> obstacle(int in, int out) {
        return canPack(in, out)
                ? Optional.empty()
                : Optional.of(in + " to " + out + " features, and the format packs multiples of 32");
    }

    @Override
    public List<TensorSpec> specs(String module, int in, int out) {
        return new GptqTensors(module).specs(this, in, out);
    }

    @Override
    public String codes(String module) {
        return new GptqTensors(module).codes();
    }

    @Override
    public String zeros(String module) {
        return new GptqTensors(module).zeros();
    }

    @Override
    public String scales(String module) {
        return new GptqTensors(module).scales();
    }

    @Override
    public GptqLinear read(TensorReader reader, String module) {
        return GptqLinear.read(reader, new GptqTensors(module), this);
    }
}
