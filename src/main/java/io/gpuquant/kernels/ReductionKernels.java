package io.gpuquant.kernels;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Sums over whole matrices, in an order that does not depend on the device. */
public final class ReductionKernels {

    private static final KernelEntry DOT = KernelFiles.module("reduce.ptx").entry("dot_partials");

    /** How many partial sums there are, however large the matrices. */
    private static final int PARTIALS = 256;

    private final Device device;

    public ReductionKernels(Device device) {
        this.device = device;
    }

    /**
     * The sum of the products of corresponding elements, in float64. Waits for the device.
     *
     * @param a F32 [rows, n]; may be a window
     * @param b F32 [rows, n]; may be a window
     */
    public double dot(DeviceMatrix a, DeviceMatrix b) {
        TypeCode.require(a, DType.F32, a.rows(), a.columns());
        TypeCode.require(b, DType.F32, a.rows(), a.columns());
        if (a.elementCount() == 0) {
            return 0;
        }
        Stream stream = device.stream();
        try (DeviceBuffer partials = device.allocate("partial sums", (long) PARTIALS * Double.BYTES);
                Arena arena = Arena.ofConfined()) {
            stream.launch(
                    DOT,
                    LaunchShape.linear(PARTIALS, Grids.THREADS),
                    new KernelArguments()
                            .address(partials.address())
                            .matrix(a)
                            .int32(a.stride())
                            .matrix(b)
                            .int32(b.stride())
                            .int32(a.rows())
                            .int32(a.columns()));
            MemorySegment sums = arena.allocate(ValueLayout.JAVA_DOUBLE, PARTIALS);
            stream.copyToHost(partials, 0, sums);
            stream.synchronize();
            double total = 0;
            for (int i = 0; i < PARTIALS; i++) {
                total += sums.getAtIndex(ValueLayout.JAVA_DOUBLE, i);
            }
            return total;
        }
    }
}
