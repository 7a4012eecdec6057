package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.format.GptqTensors;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.kernels.PackKernels;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageWeights;
import io.gpuquant.quantize.QuantizedStage;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Writes linears in the layout of GPTQ. */
final class GptqLinearWriter implements StageWriter {

    private final Device device;
    private final GptqScheme scheme;
    private final ResultOutput output;
    private final PackKernels pack;
    private final ConvertKernels convert;

    GptqLinearWriter(Device device, GptqScheme scheme, ResultOutput output) {
        this.device = device;
        this.scheme = scheme;
        this.output = output;
        pack = new PackKernels(device.stream());
        convert = new ConvertKernels(device.stream());
    }

    @Override
    public void write(QuantizedStage quantized, StageWeights weights) {
        Stage stage = weights.stage();
        List<DeviceBuffer> owned = new ArrayList<>();
        try {
            DeviceMatrix positions = upload(owned, "positions of columns", quantized.positions());
            DeviceMatrix groups = upload(owned, "groups of input features", quantized.groupIndex());
            for (int i = 0; i < stage.linears().size(); i++) {
                int first = stage.offset(i);
                int out = stage.linears().get(i).out();
                PackKernels.PackedLinear packed = new PackKernels.PackedLinear(
                        packWeights(owned, quantized.codes().rows(first, out), positions),
                        packZeros(owned, quantized.zeros().columns(first, out)),
                        compact(owned, quantized.scales().columns(first, out)),
                        groups,
                        scheme.bits(),
                        scheme.version().storedOffset());
                write(new GptqTensors(stage.linears().get(i).name()), packed);
                pack.dequantize(packed, weights.weight(i));
            }
        } finally {
            owned.forEach(DeviceBuffer::close);
        }
    }

    private DeviceMatrix packWeights(List<DeviceBuffer> owned, DeviceMatrix codes, DeviceMatrix positions) {
        DeviceMatrix packed = allocate(owned, "packed codes", DType.I32, words(codes.columns()), codes.rows());
        pack.packWeights(codes, positions, scheme.bits(), packed);
        return packed;
    }

    private DeviceMatrix packZeros(List<DeviceBuffer> owned, DeviceMatrix zeros) {
        DeviceMatrix packed = allocate(owned, "packed zero points", DType.I32, zeros.rows(), words(zeros.columns()));
        pack.packZeros(zeros, scheme.version().storedOffset(), scheme.bits(), packed);
        return packed;
    }

    private DeviceMatrix compact(List<DeviceBuffer> owned, DeviceMatrix scales) {
        DeviceMatrix dense = allocate(owned, "scales of a linear", DType.F16, scales.rows(), scales.columns());
        convert.copy(scales, dense);
        return dense;
    }

    private int words(int values) {
        return Math.toIntExact((long) values * scheme.bits() / GptqScheme.WORD_BITS);
    }

    private void write(GptqTensors names, PackKernels.PackedLinear packed) {
        output.send(names.codes(), packed.weights());
        output.send(names.zeros(), packed.zeros());
        output.send(names.scales(), packed.scales());
        output.send(names.groups(), packed.groups());
    }

    private DeviceMatrix upload(List<DeviceBuffer> owned, String name, int[] values) {
        DeviceMatrix matrix = allocate(owned, name, DType.I32, 1, values.length);
        device.stream().copyToDevice(MemorySegment.ofArray(values), matrix);
        return matrix;
    }

    private DeviceMatrix allocate(List<DeviceBuffer> owned, String name, DType dtype, int rows, int columns) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, name, dtype, rows, columns);
        owned.add(matrix.buffer());
        return matrix;
    }
}
