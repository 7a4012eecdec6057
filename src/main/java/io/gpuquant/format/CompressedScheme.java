package io.gpuquant.format;

import io.gpuquant.InputException;
import io.gpuquant.safetensors.TensorSpec;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** What every quantized linear of a compressed-tensors checkpoint of a preset has in common. */
public record CompressedScheme(CompressedPreset preset, DType weightType) implements ElementScheme {

    private static final int BLOCK = 128;

    /** Features that kernels of INT8 products read at once. */
    private static final int INT8_UNIT = 16;

    @Override
    public String describe() {
        return "compressed-tensors " + preset;
    }

    @Override
    public int bits() {
        return preset.type() == ElementType.E2M1 ? 4 : 8;
    }

    @Override
    public Optional<String> obstacle(int in, int out) {
        int unit = switch (preset) {
            case FP8_BLOCK -> BLOCK;
            case NVFP4, NVFP4A16, MXFP4, MXFP8 -> preset.groupSize();
            case W8A8, FP8, FP8_DYNAMIC -> INT8_UNIT;
        };
        boolean rows = preset == CompressedPreset.FP8_BLOCK ? out % BLOCK == 0 : out % INT8_UNIT == 0;
        return in % unit == 0 && rows
                ? Optional.empty()
                : Optional.of(in + " to " + out + " features, and engines take multiples of " + unit + " to "
                        + (preset == CompressedPreset.FP8_BLOCK ? BLOCK : INT8_UNIT));
    }

    @Override
    public String codes(String module) {
        return module + (isPaired() ? ".weight_packed" : ".weight");
    }

    @Override
    public DType codesType() {
        return preset.type().stored();
    }

    /** Whether two elements share a byte. */
    private boolean isPaired() {
        return preset.type() == ElementType.E2M1;
    }

    /** The tensor with the scales of a linear. */
    public String scales(String module) {
        return module + ".weight_scale";
    }

    /** The tensor with what the scales of a two-level linear are divided by. */
    public String globalScale(String module) {
        return module + ".weight_global_scale";
    }

    /** The tensor with the scale of a linear's input. */
    public String inputScale(String module) {
        return module + (preset.isTwoLevel() ? ".input_global_scale" : ".input_scale");
    }

    @Override
    public List<TensorSpec> specs(String module, int in, int out) {
        List<TensorSpec> specs = new ArrayList<>();
        specs.add(new TensorSpec(codes(module), codesType(), Shape.of(out, isPaired() ? in / 2 : in)));
        Shape scales = preset == CompressedPreset.FP8
                ? Shape.of(1)
                : Shape.of(Math.ceilDiv(out, tileRows(out)), Math.ceilDiv(in, tileColumns(in)));
        specs.add(new TensorSpec(scales(module), scaleType(), scales));
        if (preset.isTwoLevel()) {
            specs.add(new TensorSpec(globalScale(module), DType.F32, Shape.of(1)));
        }
        if (preset.needsRanges()) {
            specs.add(new TensorSpec(inputScale(module), preset.isTwoLevel() ? DType.F32 : weightType, Shape.of(1)));
        }
        return specs;
    }

    private DType scaleType() {
        if (preset.isTwoLevel()) {
            return DType.F8_E4M3;
        }
        return preset.isMicroscaled() ? DType.U8 : weightType;
    }

    /** Output features that share a scale. */
    public int tileRows(int out) {
        return switch (preset) {
            case FP8 -> out;
            case FP8_BLOCK -> BLOCK;
            default -> 1;
        };
    }

    /** Input features that share a scale. */
    public int tileColumns(int in) {
        return preset.groupSize() == 0 ? in : preset.groupSize();
    }

    @Override
    public ScaledLinear read(TensorReader reader, String module) {
        HostTensor codes = ElementScheme.require(reader, codes(module));
        HostTensor scales = ElementScheme.require(reader, scales(module));
        if (codes.dtype() != codesType() || codes.shape().rank() != 2) {
            throw new InputException(codes.name() + " is " + codes.dtype() + codes.shape() + ", but a linear of "
                    + describe() + " has a matrix of " + codesType() + "; the checkpoint is damaged");
        }
        int out = Math.toIntExact(codes.shape().extent(0));
        int in = Math.toIntExact(codes.shape().extent(1) * (isPaired() ? 2 : 1));
        long count = (long) Math.ceilDiv(out, tileRows(out)) * Math.ceilDiv(in, tileColumns(in));
        boolean typed = preset.isTwoLevel() || preset.isMicroscaled()
                ? scales.dtype() == scaleType()
                : scales.dtype().isComputeType();
        if (!typed || scales.shape().elementCount() != count) {
            throw new InputException(scales.name() + " is " + scales.dtype() + scales.shape() + ", but a linear of "
                    + in + " to " + out + " features has " + count + " scales of " + scaleType() + " in " + describe());
        }
        Optional<ElementType> type = preset.isTwoLevel()
                ? Optional.of(ElementType.E4M3)
                : preset.isMicroscaled() ? Optional.of(ElementType.E8M0) : Optional.empty();
        float divisor = preset.isTwoLevel() ? globalScale(reader, module) : 1;
        return new ScaledLinear(
                in,
                out,
                preset.type(),
                codes,
                new ScaledLinear.Scales(scales, type, tileRows(out), tileColumns(in), divisor));
    }

    private float globalScale(TensorReader reader, String module) {
        HostTensor scale = ElementScheme.require(reader, globalScale(module));
        if (scale.dtype() != DType.F32 || scale.shape().elementCount() != 1) {
            throw new InputException(scale.name() + " is " + scale.dtype() + scale.shape()
                    + ", but it is one F32 number in " + describe() + "; the checkpoint is damaged");
        }
        return Elements.floatAt(scale.data(), DType.F32, 0);
    }
}
