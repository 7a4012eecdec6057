package io.gpuquant.kernels;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Sums over whole matrices, in an order that does not depend on the device. */
public final class ReductionKernels {

    /** Columns of the pieces of rows that warps take in turn. */
    private static final int PIECE = 128;

    /** Pieces of a block: eight a warp, to pay for the block's start. */
    private static final int PIECES_PER_BLOCK = 64;

    private static final int MOST_PARTIALS = 256;

    private final Device device;
    private final KernelEntry dotPartials;

    public ReductionKernels(Device device) {
        this(device, KernelFiles.module("reduce.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    ReductionKernels(Device device, KernelModule kernels) {
        this.device = device;
        dotPartials = kernels.entry("dot_partials");
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
        int count = partials(a.rows(), a.columns());
        try (DeviceBuffer partials = device.allocate("partial sums", (long) count * Double.BYTES);
                Arena arena = Arena.ofConfined()) {
            stream.launch(
                    dotPartials,
                    LaunchShape.linear(count, Grids.THREADS),
                    new KernelArguments()
                            .address(partials.address())
                            .matrix(a)
                            .int32(a.stride())
                            .matrix(b)
                            .int32(b.stride())
                            .int32(a.rows())
                            .int32(a.columns()));
            MemorySegment sums = arena.allocate(ValueLayout.JAVA_DOUBLE, count);
            stream.copyToHost(partials, 0, sums);
            stream.synchronize();
            double total = 0;
            for (int i = 0; i < count; i++) {
                total += sums.getAtIndex(ValueLayout.JAVA_DOUBLE, i);
            }
            return total;
        }
    }

    /** How many partial sums there are: a matter of the extents alone, because every cut is a different order of rounding. */
    private static int partials(int rows, int columns) {
        long pieces = (long) rows * Grids.ceilDiv(columns, PIECE);
        return (int) Math.clamp(pieces / PIECES_PER_BLOCK, 1, MOST_PARTIALS);
    }
}
