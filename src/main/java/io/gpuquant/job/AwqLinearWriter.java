package io.gpuquant.job;

import io.gpuquant.device.Device;
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
import io.gpuquant.quantize.StageCodes;
import io.gpuquant.tensor.DType;

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
        DeviceMatrix bytes = StageCodes.bytes(quantized.codes()).matrix();
        for (int i = 0; i < stage.linears().size(); i++) {
            int first = stage.offset(i);
            int out = stage.linears().get(i).out();
            DeviceMatrix codes = bytes.rows(first, out);
            DeviceMatrix zeros = quantized.zeros().columns(first, out);
            DeviceMatrix scales = quantized.scales().columns(first, out);
            try (LinearParts parts = new LinearParts(device, output)) {
                AwqTensors names = new AwqTensors(stage.linears().get(i).name());
                parts.write(names.codes(), packCodes(parts, codes));
                parts.write(names.zeros(), packZeros(parts, zeros, stage.in()));
                if (isGemm()) {
                    parts.write(names.scales(), parts.dense(scales));
                } else {
                    int stride = scheme.paddedZeroWords(stage.in()) * PER_WORD;
                    parts.writeTransposed(names.scales(), parts.dense(scales), DType.F16, stride);
                }
            }
            kernels.dequantize(codes, scales, zeros, groupSize, weights.weight(i));
        }
    }

    private DeviceMatrix packCodes(LinearParts parts, DeviceMatrix codes) {
        boolean gemm = isGemm();
        int packed = gemm ? codes.rows() : codes.columns();
        int kept = gemm ? codes.columns() : codes.rows();
        DeviceMatrix words = parts.allocate("packed codes", DType.I32, kept, packed / PER_WORD);
        kernels.pack(
                codes,
                gemm ? Direction.ALONG_COLUMNS : Direction.ALONG_ROWS,
                scheme.version().order(),
                words);
        return words;
    }

    private DeviceMatrix packZeros(LinearParts parts, DeviceMatrix zeros, int in) {
        int out = zeros.columns();
        if (isGemm()) {
            DeviceMatrix words = parts.allocate("packed zero points", DType.I32, zeros.rows(), out / PER_WORD);
            kernels.pack(zeros, Direction.ALONG_ROWS, scheme.version().order(), words);
            return words;
        }
        int count = scheme.paddedZeroWords(in);
        DeviceMatrix padded = parts.allocate("padded zero points", DType.U8, count * PER_WORD, out);
        device.stream().clear(padded);
        convert.copy(zeros, padded.rows(0, zeros.rows()));
        DeviceMatrix words = parts.allocate("packed zero points", DType.I32, out, count);
        kernels.pack(padded, Direction.ALONG_COLUMNS, scheme.version().order(), words);
        return words;
    }

    private boolean isGemm() {
        return scheme.version() == AwqVersion.GEMM;
    }
}
