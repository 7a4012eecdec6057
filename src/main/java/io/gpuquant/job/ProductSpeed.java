package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOutOfMemoryException;
import io.gpuquant.device.Gemm;
import io.gpuquant.tensor.DType;
import java.util.OptionalDouble;

/** How fast a device multiplies matrices, measured with products that take longer and longer. */
final class ProductSpeed {

    private static final int SMALLEST = 256;
    private static final int LARGEST = 4096;

    /** A product that takes this long keeps the device busy and is measured well. */
    private static final double LONG_ENOUGH_SECONDS = 0.02;

    private ProductSpeed() {}

    /**
     * Multiplications and additions in a second; empty when the device has no memory for the smallest product.
     *
     * @param operandType the type of the operands
     */
    static OptionalDouble measure(Device device, DType operandType) {
        OptionalDouble best = OptionalDouble.empty();
        try {
            for (int n = SMALLEST; n <= LARGEST; n *= 2) {
                double seconds = secondsOf(device, operandType, n);
                best = OptionalDouble.of(2.0 * n * n * n / seconds);
                if (seconds > LONG_ENOUGH_SECONDS) {
                    return best;
                }
            }
        } catch (DeviceOutOfMemoryException full) {
            return best;
        }
        return best;
    }

    private static double secondsOf(Device device, DType operandType, int n) {
        DeviceMatrix operand = DeviceMatrix.allocate(device, "operand of a measurement", operandType, n, n);
        try (var operandBuffer = operand.buffer()) {
            DeviceMatrix product = DeviceMatrix.allocate(device, "product of a measurement", DType.F32, n, n);
            try (var productBuffer = product.buffer()) {
                device.stream().clear(operand);
                Gemm gemm = Gemm.ofTransposedB(operand, operand, product);
                // The first product of a size may load code.
                device.blas().gemm(device.stream(), gemm);
                device.stream().synchronize();
                long start = System.nanoTime();
                device.blas().gemm(device.stream(), gemm);
                device.stream().synchronize();
                return (System.nanoTime() - start) / 1e9;
            }
        }
    }
}
