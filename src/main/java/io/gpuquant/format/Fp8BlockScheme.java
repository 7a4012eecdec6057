package io.gpuquant.format;

import io.gpuquant.InputException;
import io.gpuquant.safetensors.TensorSpec;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.util.List;
import java.util.Optional;

/**
 * What every quantized linear of an FP8 checkpoint in blocks has in common, as DeepSeek-V3 introduced it and transformers
 * ({@code FineGrainedFP8Config}), vLLM and SGLang read it: E4M3 weights and {@code weight_scale_inv}, which despite its name
 * is what they are multiplied with.
 *
 * @param blockRows output features of a block
 * @param blockColumns input features of a block
 */
public record Fp8BlockScheme(int blockRows, int blockColumns, DType weightType) implements ElementScheme {

    /** The extents of a block that every loader takes. */
    public static final int BLOCK = 128;

    public Fp8BlockScheme {
        if (blockRows < 1 || blockColumns < 1) {
            throw new IllegalArgumentException("blocks of " + blockRows + " x " + blockColumns);
        }
    }

    @Override
    public String describe() {
        return "FP8 in blocks of " + blockRows + " x " + blockColumns;
    }

    @Override
    public int bits() {
        return 8;
    }

    @Override
    public Optional<String> obstacle(int in, int out) {
        return in % blockColumns == 0 && out % blockRows == 0
                ? Optional.empty()
                : Optional.of(in + " to " + out + " features, which blocks of " + blockRows + " x " + blockColumns
                        + " do not divide");
    }

    @Override
    public String codes(String module) {
        return module + ".weight";
    }

    @Override
    public DType codesType() {
        return DType.F8_E4M3;
    }

    /** The tensor with the scales of a linear. */
    public String scales(String module) {
        return module + ".weight_scale_inv";
    }

    @Override
    public List<TensorSpec> specs(String module, int in, int out) {
        return List.of(
                new TensorSpec(codes(module), DType.F8_E4M3, Shape.of(out, in)),
                new TensorSpec(
                        scales(module),
                        DType.F32,
                        Shape.of(Math.ceilDiv(out, blockRows), Math.ceilDiv(in, blockColumns))));
    }

    @Override
    public ScaledLinear read(TensorReader reader, String module) {
        HostTensor codes = ElementScheme.require(reader, codes(module));
        HostTensor scales = ElementScheme.require(reader, scales(module));
        if (codes.dtype() != DType.F8_E4M3 || codes.shape().rank() != 2) {
            throw new InputException(codes.name() + " is " + codes.dtype() + codes.shape()
                    + ", not an FP8 matrix; the checkpoint is damaged");
        }
        int out = Math.toIntExact(codes.shape().extent(0));
        int in = Math.toIntExact(codes.shape().extent(1));
        Shape expected = Shape.of(Math.ceilDiv(out, blockRows), Math.ceilDiv(in, blockColumns));
        if (!scales.shape().equals(expected) || !isScaleType(scales.dtype())) {
            throw new InputException(
                    scales.name() + " is " + scales.dtype() + scales.shape() + ", but a weight of " + codes.shape()
                            + " in blocks of " + blockRows + " x " + blockColumns + " has scales of " + expected);
        }
        Optional<ElementType> type = scales.dtype() == DType.F8_E8M0 ? Optional.of(ElementType.E8M0) : Optional.empty();
        return new ScaledLinear(
                in, out, ElementType.E4M3, codes, new ScaledLinear.Scales(scales, type, blockRows, blockColumns, 1));
    }

    private static boolean isScaleType(DType dtype) {
        return dtype.isComputeType() || dtype == DType.F8_E8M0;
    }
}
