package io.gpuquant.bench;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.PackKernels;
import io.gpuquant.quantize.QuantizedStage;
import io.gpuquant.quantize.StageCodes;
import io.gpuquant.tensor.DType;

/** Packing of a quantized stage into the words of a checkpoint, and back into weights for the rest of the layer. */
final class PackBench {

    private static final int BITS = 4;

    private final Device device;
    private final BenchMemory memory;

    PackBench(Device device, BenchMemory memory) {
        this.device = device;
        this.memory = memory;
    }

    void run(StepTimes times, QuantizedStage quantized) {
        int out = quantized.scales().columns();
        int in = quantized.groupIndex().length;
        int groups = quantized.scales().rows();
        double elements = (double) out * in;
        PackKernels kernels = new PackKernels(device.stream());
        PackKernels.PackedLinear packed = new PackKernels.PackedLinear(
                words(kernels, times, quantized.codes(), in, out),
                memory.empty(DType.I32, groups, out * BITS / 32),
                quantized.scales(),
                memory.integers(quantized.groupIndex()),
                BITS,
                1);
        times.time(
                "pack zero points",
                Work.ofBytes(1.5 * groups * out),
                () -> kernels.packZeros(quantized.zeros(), 1, BITS, packed.zeros()));
        DeviceMatrix weights = memory.empty(device.operandType(DType.BF16), out, in);
        times.time(
                "dequantize",
                Work.ofBytes((0.5 + weights.dtype().bytes()) * elements),
                () -> kernels.dequantize(packed, weights));
    }

    /** The words that GPTQ's loop made, or, where the order of its columns kept it from that, the work that is left. */
    private DeviceMatrix words(PackKernels kernels, StepTimes times, StageCodes codes, int in, int out) {
        return switch (codes) {
            case StageCodes.Words words -> words.linear(0, out);
            case StageCodes.Bytes bytes -> {
                DeviceMatrix positions = memory.integers(bytes.positions());
                DeviceMatrix words = memory.empty(DType.I32, in * BITS / 32, out);
                times.time(
                        "pack codes",
                        Work.ofBytes(1.5 * in * out),
                        () -> kernels.packWeights(bytes.matrix(), positions, BITS, words));
                yield words;
            }
        };
    }
}
