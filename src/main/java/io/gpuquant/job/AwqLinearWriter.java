package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.format.AwqScheme;
import io.gpuquant.format.AwqTensors;
import io.gpuquant.format.AwqVersion;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.kernels.NibbleKernels;
import io.gpuquant.kernels.NibbleKernels.Direction;
import io.gpuquant.model.Stage;
import io.gpuquant.model.StageWeights;
import io.gpuquant.quantize.QuantizedStage;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Writes linears in the layouts of AWQ. Codes are in the order of the input features. */
final class AwqLinearWriter implements StageWriter {

    private static final int PER_WORD = 8;

    private final Device device;
    private final AwqScheme scheme;
    private final ResultOutput output;
    private final NibbleKernels kernels;
    private final ConvertKernels convert;

    AwqLinearWriter(Device device, AwqScheme scheme, ResultOutput output) {
        this.device = device;
        this.scheme = scheme;
        this.output = output;
        kernels = new NibbleKernels(device.stream());
        convert = new ConvertKernels(device.stream());
    }

    @Override
    public void write(QuantizedStage quantized, StageWeights weights) {
        Stage stage = weights.stage();
        int groupSize = scheme.groupSize(stage.in());
        for (int i = 0; i < stage.linears().size(); i++) {
            int first = stage.offset(i);
            int out = stage.linears().get(i).out();
            DeviceMatrix codes = quantized.codes().rows(first, out);
            DeviceMatrix zeros = quantized.zeros().columns(first, out);
            DeviceMatrix scales = quantized.scales().columns(first, out);
            List<DeviceBuffer> owned = new ArrayList<>();
            try {
                AwqTensors names = new AwqTensors(stage.linears().get(i).name());
                output.send(names.codes(), packCodes(owned, codes));
                output.send(names.zeros(), packZeros(owned, zeros, stage.in()));
                writeScales(owned, names.scales(), scales, stage.in());
            } finally {
                owned.forEach(DeviceBuffer::close);
            }
            kernels.dequantize(codes, scales, zeros, groupSize, weights.weight(i));
        }
    }

    private DeviceMatrix packCodes(List<DeviceBuffer> owned, DeviceMatrix codes) {
        boolean gemm = isGemm();
        int packed = gemm ? codes.rows() : codes.columns();
        int kept = gemm ? codes.columns() : codes.rows();
        DeviceMatrix words = allocate(owned, "packed codes", DType.I32, kept, packed / PER_WORD);
        kernels.pack(
                codes,
                gemm ? Direction.ALONG_COLUMNS : Direction.ALONG_ROWS,
                scheme.version().order(),
                words);
        return words;
    }

    private DeviceMatrix packZeros(List<DeviceBuffer> owned, DeviceMatrix zeros, int in) {
        int out = zeros.columns();
        if (isGemm()) {
            DeviceMatrix words = allocate(owned, "packed zero points", DType.I32, zeros.rows(), out / PER_WORD);
            kernels.pack(zeros, Direction.ALONG_ROWS, scheme.version().order(), words);
            return words;
        }
        int count = scheme.paddedZeroWords(in);
        DeviceMatrix padded = allocate(owned, "padded zero points", DType.U8, count * PER_WORD, out);
        device.stream().clear(padded);
        convert.copy(zeros, padded.rows(0, zeros.rows()));
        DeviceMatrix words = allocate(owned, "packed zero points", DType.I32, out, count);
        kernels.pack(padded, Direction.ALONG_COLUMNS, scheme.version().order(), words);
        return words;
    }

    private void writeScales(List<DeviceBuffer> owned, String name, DeviceMatrix scales, int in) {
        DeviceMatrix dense = allocate(owned, "scales of a linear", DType.F16, scales.rows(), scales.columns());
        convert.copy(scales, dense);
        if (isGemm()) {
            output.send(name, dense);
            return;
        }
        int out = scales.columns();
        int stride = scheme.paddedZeroWords(in) * PER_WORD;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment values = arena.allocate(dense.byteSize(), Short.BYTES);
            device.stream().copyToHost(dense, values);
            device.stream().synchronize();
            MemorySegment transposed = arena.allocate(DType.F16.bytes((long) out * stride), Short.BYTES);
            for (int group = 0; group < scales.rows(); group++) {
                for (int i = 0; i < out; i++) {
                    short bits = values.get(Elements.SHORT, ((long) group * out + i) * Short.BYTES);
                    transposed.set(Elements.SHORT, ((long) i * stride + group) * Short.BYTES, bits);
                }
            }
            output.send(name, transposed);
        }
    }

    private boolean isGemm() {
        return scheme.version() == AwqVersion.GEMM;
    }

    private DeviceMatrix allocate(List<DeviceBuffer> owned, String name, DType dtype, int rows, int columns) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, name, dtype, rows, columns);
        owned.add(matrix.buffer());
        return matrix;
    }
}
