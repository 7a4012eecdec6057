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

    /** Elements that a block of squared differences takes at least. */
    private static final int DIFFERENCES_PER_BLOCK = 8192;

    private static final int VECTOR = 4;

    private final Device device;
    private final KernelEntry dotPartials;
    private final KernelEntry squaredDifferencePartials;

    public ReductionKernels(Device device) {
        this(device, KernelFiles.module("reduce.ptx"));
    }

    /** With kernels from elsewhere, for tests. */
    ReductionKernels(Device device, KernelModule kernels) {
        this.device = device;
        dotPartials = kernels.entry("dot_partials");
        squaredDifferencePartials = kernels.entry("squared_difference_partials");
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
        int count = partials(a.rows(), a.columns());
        try (DeviceBuffer partials = device.allocate("partial sums", (long) count * Double.BYTES);
                Arena arena = Arena.ofConfined()) {
            launchDot(a, b, partials, 0, count);
            Stream stream = device.stream();
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

    private void launchDot(DeviceMatrix a, DeviceMatrix b, DeviceBuffer partials, long offset, int count) {
        device.stream()
                .launch(
                        dotPartials,
                        LaunchShape.linear(count, Grids.THREADS),
                        new KernelArguments()
                                .address(partials.address() + offset)
                                .matrix(a)
                                .int32(a.stride())
                                .matrix(b)
                                .int32(b.stride())
                                .int32(a.rows())
                                .int32(a.columns()));
    }

    /**
     * Sums that stay on the device until they are wanted together. Each is added up from the pieces that were queued for it.
     */
    public final class Sums implements AutoCloseable {

        private final DeviceBuffer partials;
        private final int pieces;
        private final int[] queued;

        private Sums(int count, int pieces) {
            this.pieces = pieces;
            queued = new int[count];
            long bytes = (long) count * pieces * MOST_PARTIALS * Double.BYTES;
            partials = device.allocate("partial sums", bytes);
            device.stream().clear(partials, 0, bytes);
        }

        /** Adds {@link ReductionKernels#dot} to a sum, without waiting. */
        public void addDot(int sum, DeviceMatrix a, DeviceMatrix b) {
            TypeCode.require(a, DType.F32, a.rows(), a.columns());
            TypeCode.require(b, DType.F32, a.rows(), a.columns());
            if (a.elementCount() > 0) {
                launchDot(a, b, partials, next(sum), partials(a.rows(), a.columns()));
            }
        }

        /**
         * Adds the sum of the squared differences of corresponding elements to a sum, without waiting.
         *
         * @param a F32 [rows, n], dense, starting at a multiple of 16 bytes, a multiple of four elements in all
         * @param b as {@code a}
         */
        public void addSquaredDifference(int sum, DeviceMatrix a, DeviceMatrix b) {
            TypeCode.require(a, DType.F32, a.rows(), a.columns());
            TypeCode.require(b, DType.F32, a.rows(), a.columns());
            TypeCode.requireDense(a, b);
            long vector = DType.F32.bytes(VECTOR);
            if (a.elementCount() % VECTOR != 0 || a.address() % vector != 0 || b.address() % vector != 0) {
                throw new IllegalArgumentException(a + " and " + b + " do not consist of aligned fours");
            }
            if (a.elementCount() > 0) {
                int blocks = (int) Math.clamp(a.elementCount() / DIFFERENCES_PER_BLOCK, 1, MOST_PARTIALS);
                device.stream()
                        .launch(
                                squaredDifferencePartials,
                                LaunchShape.linear(blocks, Grids.THREADS),
                                new KernelArguments()
                                        .address(partials.address() + next(sum))
                                        .matrix(a)
                                        .matrix(b)
                                        .int64(a.elementCount() / VECTOR));
            }
        }

        private long next(int sum) {
            if (queued[sum] == pieces) {
                throw new IllegalStateException("more than " + pieces + " pieces of a sum");
            }
            long slot = (long) sum * pieces + queued[sum]++;
            return slot * MOST_PARTIALS * Double.BYTES;
        }

        /** All sums. Waits for the device. */
        public double[] read() {
            double[] values = new double[queued.length * pieces * MOST_PARTIALS];
            device.stream().copyToHost(partials, 0, MemorySegment.ofArray(values));
            device.stream().synchronize();
            double[] sums = new double[queued.length];
            for (int i = 0; i < values.length; i++) {
                sums[i / (pieces * MOST_PARTIALS)] += values[i];
            }
            return sums;
        }

        @Override
        public void close() {
            partials.close();
        }
    }

    /**
     * Room for sums.
     *
     * @param count how many
     * @param pieces the most pieces that each is added up from
     */
    public Sums sums(int count, int pieces) {
        return new Sums(count, pieces);
    }

    /** How many partial sums there are: a matter of the extents alone, because every cut is a different order of rounding. */
    private static int partials(int rows, int columns) {
        long pieces = (long) rows * Grids.ceilDiv(columns, PIECE);
        return (int) Math.clamp(pieces / PIECES_PER_BLOCK, 1, MOST_PARTIALS);
    }
}
