package io.gpuquant.bench;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.tensor.DType;

/**
 * What a device does in a second, measured, as the floors of everything else.
 *
 * @param bytesPerSecond read and written by a copy within the device
 * @param floatsPerSecond multiplications and additions of a large product of float32 matrices
 * @param halvesPerSecond the same for the type that operands of bfloat16 weights have on the device
 */
public record Rates(double bytesPerSecond, double floatsPerSecond, double halvesPerSecond) {

    static Rates measure(Device device, Clock clock, LayerShape shape) {
        return new Rates(
                copyRate(device, clock, shape),
                productRate(device, clock, DType.F32, shape.hidden()),
                productRate(device, clock, device.operandType(DType.BF16), shape.hidden()));
    }

    /** Of as many bytes as activations have, which no cache holds on a GPU. */
    private static double copyRate(Device device, Clock clock, LayerShape shape) {
        long bytes = DType.F32.bytes((long) shape.tokens() * shape.intermediate());
        try (DeviceBuffer from = device.allocate("source of a copy", bytes);
                DeviceBuffer to = device.allocate("target of a copy", bytes)) {
            device.stream().clear(from, 0, bytes);
            return 2 * bytes / clock.seconds(() -> device.stream().copy(from, 0, to, 0, bytes));
        }
    }

    private static double productRate(Device device, Clock clock, DType dtype, int n) {
        try (BenchMemory memory = new BenchMemory(device)) {
            DeviceMatrix a = memory.random(dtype, n, n);
            DeviceMatrix b = memory.random(dtype, n, n);
            DeviceMatrix c = memory.random(DType.F32, n, n);
            Gemm gemm = Gemm.ofTransposedB(a, b, c);
            return 2.0 * n * n * n / clock.seconds(() -> device.blas().gemm(device.stream(), gemm));
        }
    }
}
