package io.gpuquant.kernels;

import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;

/** Codes into the words of GPTQ checkpoints, and those words into weights. */
public final class PackKernels {

    /** Words that a thread of {@code pack_weights} makes. */
    private static final int WORDS_PER_THREAD = 8;

    /** Output features that a thread of {@code dequantize} works on. */
    private static final int OUTPUTS_PER_THREAD = 32;

    private final Stream stream;
    private final KernelEntry packWeights;
    private final KernelEntry packZeros;
    private final KernelEntry dequantize;

    public PackKernels(Stream stream) {
        this(stream, KernelFiles.module("pack.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    PackKernels(Stream stream, KernelModule kernels) {
        this.stream = stream;
        packWeights = kernels.entry("pack_weights");
        packZeros = kernels.entry("pack_zeros");
        dequantize = kernels.entry("dequantize");
    }

    /**
     * Packs codes along the input dimension: the codes of an output feature, in the order of the input features, form a
     * little-endian bit stream that is cut into words.
     *
     * @param codes U8 [out, in]; may be a window
     * @param position I32 [1, in]: the column of {@code codes} that holds each input feature
     * @param packed I32 [in * bits / 32, out], dense
     */
    public void packWeights(DeviceMatrix codes, DeviceMatrix position, int bits, DeviceMatrix packed) {
        int out = codes.rows();
        int in = codes.columns();
        TypeCode.require(codes, DType.U8, out, in);
        TypeCode.require(position, DType.I32, 1, in);
        TypeCode.require(packed, DType.I32, words(in, bits), out);
        TypeCode.requireDense(packed);
        stream.launch(
                packWeights,
                Grids.columnsByRows(out, Grids.ceilDiv(packed.rows(), WORDS_PER_THREAD)),
                new KernelArguments()
                        .matrix(packed)
                        .matrix(codes)
                        .int32(codes.stride())
                        .matrix(position)
                        .int32(out)
                        .int32(in)
                        .int32(bits));
    }

    /**
     * Packs zero points along the output dimension, as the same kind of bit stream per group.
     *
     * @param zeros U8 [groups, out]; may be a window
     * @param stored what is subtracted before packing: 1 for the first version of the format, 0 for the second; the result
     *     is taken modulo 2^bits
     * @param packed I32 [groups, out * bits / 32], dense
     */
    public void packZeros(DeviceMatrix zeros, int stored, int bits, DeviceMatrix packed) {
        int groups = zeros.rows();
        int out = zeros.columns();
        TypeCode.require(zeros, DType.U8, groups, out);
        TypeCode.require(packed, DType.I32, groups, words(out, bits));
        TypeCode.requireDense(packed);
        stream.launch(
                packZeros,
                Grids.columnsByRows(packed.columns(), groups),
                new KernelArguments()
                        .matrix(packed)
                        .matrix(zeros)
                        .int32(zeros.stride())
                        .int32(groups)
                        .int32(out)
                        .int32(stored)
                        .int32(bits));
    }

    /**
     * A packed linear layer.
     *
     * @param weights I32 [in * bits / 32, out], dense
     * @param zeros I32 [groups, out * bits / 32], dense
     * @param scales F16 [groups, out], dense
     * @param groups I32 [1, in]: the group of each input feature, {@code g_idx}
     * @param stored what is added to a stored zero point, modulo 2^bits: 1 or 0
     */
    public record PackedLinear(
            DeviceMatrix weights, DeviceMatrix zeros, DeviceMatrix scales, DeviceMatrix groups, int bits, int stored) {

        public PackedLinear {
            int in = groups.columns();
            int out = weights.columns();
            TypeCode.require(weights, DType.I32, words(in, bits), out);
            TypeCode.require(zeros, DType.I32, scales.rows(), words(out, bits));
            TypeCode.require(scales, DType.F16, scales.rows(), out);
            TypeCode.require(groups, DType.I32, 1, in);
            TypeCode.requireDense(weights, zeros, scales);
        }
    }

    /**
     * The weights that an engine computes with: {@code w[o, i] = scale[g, o] * (code[i, o] - zero[g, o])} in float32, rounded
     * to the type of {@code weights}.
     *
     * @param weights F32, F16 or BF16 [out, in]; may be a window
     */
    public void dequantize(PackedLinear packed, DeviceMatrix weights) {
        int out = packed.weights().columns();
        int in = packed.groups().columns();
        TypeCode.require(weights, out, in);
        stream.launch(
                dequantize,
                Grids.columnsByRows(in, Grids.ceilDiv(out, OUTPUTS_PER_THREAD)),
                new KernelArguments()
                        .matrix(weights)
                        .int32(TypeCode.of(weights))
                        .int32(weights.stride())
                        .matrix(packed.weights())
                        .matrix(packed.zeros())
                        .matrix(packed.scales())
                        .matrix(packed.groups())
                        .int32(out)
                        .int32(in)
                        .int32(packed.bits())
                        .int32(packed.stored()));
    }

    private static int words(int values, int bits) {
        long total = (long) values * bits;
        if (total % Integer.SIZE != 0) {
            throw new IllegalArgumentException(values + " values of " + bits + " bits do not fill whole words");
        }
        return (int) (total / Integer.SIZE);
    }
}
