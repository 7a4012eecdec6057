package io.gpuquant.format;

import io.gpuquant.safetensors.TensorSpec;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Optional;

/**
 * What every quantized linear of an AWQ checkpoint has in common. Codes have four bits: no loader takes others.
 *
 * @param groupSize input features that share a scale; -1 for all of a linear
 * @param symmetric whether every zero point is 8; zero points are stored all the same
 */
public record AwqScheme(int groupSize, boolean symmetric, AwqVersion version) implements TargetScheme {

    /** Values of a word. */
    static final int PER_WORD = 8;

    private static final int BITS = 4;

    /** Groups of GEMV whose zero points fill the least number of words that its kernels read at once. */
    private static final int WIDEST_PADDED = 128;

    public AwqScheme {
        if (groupSize != -1 && groupSize < 1) {
            throw new IllegalArgumentException("groups of " + groupSize);
        }
        if (version == AwqVersion.GEMV && groupSize != 32 && groupSize != 64 && groupSize < WIDEST_PADDED) {
            throw new IllegalArgumentException("groups of " + groupSize + " in the GEMV layout");
        }
    }

    @Override
    public int bits() {
        return BITS;
    }

    @Override
    public Optional<String> obstacle(int in, int out) {
        if (in % groupSize(in) != 0) {
            return Optional.of(in + " input features, which groups of " + groupSize + " do not divide");
        }
        if (version == AwqVersion.GEMM) {
            return out % PER_WORD == 0
                    ? Optional.empty()
                    : Optional.of(out + " output features, and the GEMM layout packs multiples of 8");
        }
        return in % PER_WORD == 0
                ? Optional.empty()
                : Optional.of(in + " input features, and the GEMV layout packs multiples of 8");
    }

    @Override
    public List<TensorSpec> specs(String module, int in, int out) {
        return new AwqTensors(module).specs(this, in, out);
    }

    @Override
    public String codes(String module) {
        return new AwqTensors(module).codes();
    }

    @Override
    public String zeros(String module) {
        return new AwqTensors(module).zeros();
    }

    @Override
    public String scales(String module) {
        return new AwqTensors(module).scales();
    }

    @Override
    public LinearBuilder builder(String module, int in, int out, Arena arena) {
        return new AwqBuilder(this, module, in, out, arena);
    }

    @Override
    public AwqLinear read(TensorReader reader, String module) {
        return AwqLinear.read(reader, new AwqTensors(module), this);
    }

    /**
     * Words of a row of zero points in the GEMV layout. Its kernels read the zero points of 1024 input features, or of two or
     * four times as many for smaller groups, at once, so rows are padded.
     */
    public int paddedZeroWords(int in) {
        int words = (groups(in) + PER_WORD - 1) / PER_WORD;
        int multiple = groupSize >= WIDEST_PADDED ? 1 : WIDEST_PADDED / groupSize;
        return (words + multiple - 1) / multiple * multiple;
    }
}
