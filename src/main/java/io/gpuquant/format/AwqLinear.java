package io.gpuquant.format;

import io.gpuquant.InputException;
import io.gpuquant.safetensors.TensorSpec;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.util.List;

/**
 * A linear of an AWQ checkpoint.
 *
 * @param in input features
 * @param out output features
 */
public record AwqLinear(AwqScheme scheme, int in, int out, HostTensor codes, HostTensor zeros, HostTensor scales)
        implements PackedLinear {

    /** In which nibble of a word of the GEMM layout each of its eight output features is. */
    private static final List<Integer> GEMM_NIBBLES = List.of(0, 4, 1, 5, 2, 6, 3, 7);

    /**
     * Finds the tensors of a linear and checks their types and shapes against each other.
     *
     * @throws InputException when one is missing or does not fit the others
     */
    public static AwqLinear read(TensorReader reader, AwqTensors names, AwqScheme scheme) {
        HostTensor codes = require(reader, names.codes());
        HostTensor zeros = require(reader, names.zeros());
        HostTensor scales = require(reader, names.scales());
        if (codes.shape().rank() != 2) {
            throw new InputException(names.codes() + " has shape " + codes.shape()
                    + ", which does not make an AWQ linear; the checkpoint is damaged");
        }
        boolean gemm = scheme.version() == AwqVersion.GEMM;
        long in = gemm ? codes.shape().extent(0) : codes.shape().extent(1) * AwqScheme.PER_WORD;
        long out = gemm
                ? codes.shape().extent(1) * AwqScheme.PER_WORD
                : codes.shape().extent(0);
        if (in < 1 || out < 1 || in > Integer.MAX_VALUE || out > Integer.MAX_VALUE) {
            throw new InputException(names.codes() + " has shape " + codes.shape() + ", which no linear has");
        }
        List<HostTensor> found = List.of(codes, zeros, scales);
        List<TensorSpec> expected = names.specs(scheme, (int) in, (int) out);
        for (int i = 0; i < expected.size(); i++) {
            HostTensor tensor = found.get(i);
            TensorSpec spec = expected.get(i);
            if (tensor.dtype() != spec.dtype() || !tensor.shape().equals(spec.shape())) {
                throw new InputException(spec.name() + " is " + tensor.dtype() + tensor.shape() + ", but a linear of "
                        + in + " to " + out + " features in groups of " + scheme.groupSize() + " in the "
                        + scheme.version() + " layout of AWQ has " + spec.dtype() + spec.shape());
            }
        }
        return new AwqLinear(scheme, (int) in, (int) out, codes, zeros, scales);
    }

    private static HostTensor require(TensorReader reader, String name) {
        return reader.find(name)
                .orElseThrow(() -> new InputException("the checkpoint has no tensor " + name
                        + ", which belongs to a quantized linear; it is damaged or not finished"));
    }

    @Override
    public int code(int inputFeature, int outputFeature) {
        return codeStream(inputFeature, outputFeature).value(codeIndex(inputFeature, outputFeature));
    }

    @Override
    public int zero(int group, int outputFeature) {
        return zeroStream(group, outputFeature).value(zeroIndex(group, outputFeature));
    }

    @Override
    public float scale(int group, int outputFeature) {
        return Elements.floatAt(scales.data(), scales.dtype(), scaleIndex(group, outputFeature));
    }

    /** The word, or the row of words, that a code is in. */
    BitStream codeStream(int inputFeature, int outputFeature) {
        return isGemm()
                ? gemmWord(codes, inputFeature, outputFeature)
                : new BitStream(codes.data(), (long) outputFeature * (in / AwqScheme.PER_WORD), 1, scheme.bits());
    }

    /** Where a code is in its stream. */
    int codeIndex(int inputFeature, int outputFeature) {
        return isGemm() ? GEMM_NIBBLES.get(outputFeature % AwqScheme.PER_WORD) : inputFeature;
    }

    /** The word, or the row of words, that a zero point is in. */
    BitStream zeroStream(int group, int outputFeature) {
        return isGemm()
                ? gemmWord(zeros, group, outputFeature)
                : new BitStream(zeros.data(), (long) outputFeature * scheme.paddedZeroWords(in), 1, scheme.bits());
    }

    /** Where a zero point is in its stream. */
    int zeroIndex(int group, int outputFeature) {
        return isGemm() ? GEMM_NIBBLES.get(outputFeature % AwqScheme.PER_WORD) : group;
    }

    /** The element of the scales that is a group's. */
    long scaleIndex(int group, int outputFeature) {
        return isGemm()
                ? (long) group * out + outputFeature
                : (long) outputFeature * scheme.paddedZeroWords(in) * AwqScheme.PER_WORD + group;
    }

    private BitStream gemmWord(HostTensor tensor, int row, int outputFeature) {
        long word = (long) row * (out / AwqScheme.PER_WORD) + outputFeature / AwqScheme.PER_WORD;
        return new BitStream(tensor.data(), word, 1, scheme.bits());
    }

    @Override
    public int group(int inputFeature) {
        return inputFeature / scheme.groupSize(in);
    }

    private boolean isGemm() {
        return scheme.version() == AwqVersion.GEMM;
    }
}
