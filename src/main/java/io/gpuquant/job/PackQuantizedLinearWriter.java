package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.format.PackQuantizedScheme;
import io.gpuquant.format.PackQuantizedTensors;
import io.gpuquant.kernels.BitStreamKernels;
import io.gpuquant.kernels.BitStreamKernels.Words;
import io.gpuquant.kernels.NibbleKernels;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageWeights;
import io.gpuquant.quantize.QuantizedStage;
import io.gpuquant.quantize.StageCodes;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;

/** Writes linears in the format {@code pack-quantized} of compressed-tensors. */
final class PackQuantizedLinearWriter implements StageWriter {

    private final Device device;
    private final PackQuantizedScheme scheme;
    private final ResultOutput output;
    private final BitStreamKernels streams;
    private final NibbleKernels weightsOfCodes;

    PackQuantizedLinearWriter(Device device, PackQuantizedScheme scheme, ResultOutput output) {
        this.device = device;
        this.scheme = scheme;
        this.output = output;
        streams = new BitStreamKernels(device.stream());
        weightsOfCodes = new NibbleKernels(device.stream());
    }

    @Override
    public void write(QuantizedStage quantized, StageWeights weights) {
        Stage stage = weights.stage();
        try (LinearParts shared = new LinearParts(device, output)) {
            StageCodes.Bytes bytes = StageCodes.bytes(quantized.codes());
            DeviceMatrix positions = shared.upload("positions of columns", bytes.positions());
            for (int i = 0; i < stage.linears().size(); i++) {
                int first = stage.offset(i);
                int out = stage.linears().get(i).out();
                DeviceMatrix zeros = quantized.zeros().columns(first, out);
                DeviceMatrix scales = quantized.scales().columns(first, out);
                PackQuantizedTensors names =
                        new PackQuantizedTensors(stage.linears().get(i).name());
                try (LinearParts parts = new LinearParts(device, output)) {
                    DeviceMatrix words = packCodes(parts, bytes.matrix().rows(first, out), positions);
                    parts.write(names.codes(), words);
                    parts.writeTransposed(names.scales(), parts.dense(scales), scheme.scaleType(), scales.rows());
                    if (!scheme.symmetric()) {
                        parts.write(names.zeros(), packZeros(parts, zeros));
                    }
                    output.send(names.shape(), shape(out, stage.in()));
                    DeviceMatrix codes = parts.allocate("codes", DType.U8, out, stage.in());
                    streams.unpack(words, scheme.bits(), Words.IN_ROWS, codes);
                    weightsOfCodes.dequantize(codes, scales, zeros, scheme.groupSize(stage.in()), weights.weight(i));
                }
            }
        }
    }

    private DeviceMatrix packCodes(LinearParts parts, DeviceMatrix codes, DeviceMatrix positions) {
        int count = BitStreamKernels.words(codes.columns(), scheme.bits());
        DeviceMatrix words = parts.allocate("packed codes", DType.I32, codes.rows(), count);
        streams.pack(codes, positions, scheme.bits(), Words.IN_ROWS, words);
        return words;
    }

    private DeviceMatrix packZeros(LinearParts parts, DeviceMatrix zeros) {
        int count = BitStreamKernels.words(zeros.columns(), scheme.bits());
        DeviceMatrix words = parts.allocate("packed zero points", DType.I32, count, zeros.rows());
        streams.pack(zeros, null, scheme.bits(), Words.IN_COLUMNS, words);
        return words;
    }

    private static MemorySegment shape(int out, int in) {
        MemorySegment shape = MemorySegment.ofArray(new byte[2 * Long.BYTES]);
        shape.set(Elements.LONG, 0, out);
        shape.set(Elements.LONG, Long.BYTES, in);
        return shape;
    }
}
