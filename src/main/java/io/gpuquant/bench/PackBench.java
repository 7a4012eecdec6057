package io.gpuquant.bench;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.PackKernels;
import io.gpuquant.quantize.QuantizedStage;
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
        int out = quantized.codes().rows();
        int in = quantized.codes().columns();
        int groups = quantized.scales().rows();
        double elements = (double) out * in;
        DeviceMatrix positions = memory.integers(quantized.positions());
        PackKernels.PackedLinear packed = new PackKernels.PackedLinear(
                memory.empty(DType.I32, in * BITS / 32, out),
                memory.empty(DType.I32, groups, out * BITS / 32),
                quantized.scales(),
                memory.integers(quantized.groupIndex()),
                BITS,
                1);
        DeviceMatrix weights = memory.empty(device.operandType(DType.BF16), out, in);
        PackKernels kernels = new PackKernels(device.stream());
        times.time("pack", Work.ofBytes(1.5 * elements), () -> {
            kernels.packWeights(quantized.codes(), positions, BITS, packed.weights());
            kernels.packZeros(quantized.zeros(), 1, BITS, packed.zeros());
        });
        times.time(
                "dequantize",
                Work.ofBytes((0.5 + weights.dtype().bytes()) * elements),
                () -> kernels.dequantize(packed, weights));
    }
}
