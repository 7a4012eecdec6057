package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.format.GptqTensors;
import io.gpuquant.kernels.PackKernels;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageWeights;
import io.gpuquant.quantize.QuantizedStage;
import io.gpuquant.quantize.StageCodes;
import io.gpuquant.tensor.DType;

/** Writes linears in the layout of GPTQ. */
final class GptqLinearWriter implements StageWriter {

    private final Device device;
    private final GptqScheme scheme;
    private final ResultOutput output;
    private final PackKernels pack;

    GptqLinearWriter(Device device, GptqScheme scheme, ResultOutput output) {
        this.device = device;
        this.scheme = scheme;
        this.output = output;
        pack = new PackKernels(device.stream());
    }

    @Override
    public void write(QuantizedStage quantized, StageWeights weights) {
        Stage stage = weights.stage();
        try (LinearParts parts = new LinearParts(device, output)) {
            LinearWords words = words(parts, quantized.codes());
            DeviceMatrix groups = parts.upload("groups of input features", quantized.groupIndex());
            for (int i = 0; i < stage.linears().size(); i++) {
                int first = stage.offset(i);
                int out = stage.linears().get(i).out();
                PackKernels.PackedLinear packed = new PackKernels.PackedLinear(
                        words.of(first, out),
                        packZeros(parts, quantized.zeros().columns(first, out)),
                        parts.dense(quantized.scales().columns(first, out)),
                        groups,
                        scheme.bits(),
                        scheme.version().storedOffset());
                write(parts, new GptqTensors(stage.linears().get(i).name()), packed);
                pack.dequantize(packed, weights.weight(i));
            }
        }
    }

    /** The packed codes of a linear: I32 [in * bits / 32, out]. */
    private interface LinearWords {

        /**
         * Those of one linear.
         *
         * @param first how many outputs the linears before it have
         */
        DeviceMatrix of(int first, int out);
    }

    private LinearWords words(LinearParts parts, StageCodes codes) {
        return switch (codes) {
            case StageCodes.Words words -> words::linear;
            case StageCodes.Bytes bytes -> {
                DeviceMatrix positions = parts.upload("positions of columns", bytes.positions());
                yield (first, out) -> packWeights(parts, bytes.matrix().rows(first, out), positions);
            }
        };
    }

    private DeviceMatrix packWeights(LinearParts parts, DeviceMatrix codes, DeviceMatrix positions) {
        DeviceMatrix packed = parts.allocate("packed codes", DType.I32, words(codes.columns()), codes.rows());
        pack.packWeights(codes, positions, scheme.bits(), packed);
        return packed;
    }

    private DeviceMatrix packZeros(LinearParts parts, DeviceMatrix zeros) {
        DeviceMatrix packed = parts.allocate("packed zero points", DType.I32, zeros.rows(), words(zeros.columns()));
        pack.packZeros(zeros, scheme.version().storedOffset(), scheme.bits(), packed);
        return packed;
    }

    private int words(int values) {
        return Math.toIntExact((long) values * scheme.bits() / GptqScheme.WORD_BITS);
    }

    private static void write(LinearParts parts, GptqTensors names, PackKernels.PackedLinear packed) {
        parts.write(names.codes(), packed.weights());
        parts.write(names.zeros(), packed.zeros());
        parts.write(names.scales(), packed.scales());
        parts.write(names.groups(), packed.groups());
    }
}
