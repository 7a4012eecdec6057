package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.model.Prefetcher;
import io.gpuquant.tensor.DType;
import java.util.function.UnaryOperator;

/**
 * The memory that a device has for a run, and how it computes.
 *
 * @param availableBytes what may be held at once
 * @param heldBytes what is held before the run begins, by libraries
 * @param overlaps whether copies run beside the computing
 * @param operandType as {@link Device#operandType}
 */
public record Room(
        DeviceInfo info, long availableBytes, long heldBytes, boolean overlaps, UnaryOperator<DType> operandType) {

    /** The part of a device's memory that is counted on; the rest is for its driver, libraries and fragmentation. */
    private static final double USABLE = 0.92;

    /** The work space that cuBLAS is given. */
    private static final long CUBLAS_BYTES = 32L << 20;

    /** The room on a device that is here. */
    public static Room of(Device device) {
        // Some libraries of matrix products take memory when they are first asked for.
        device.blas();
        return new Room(
                device.info(),
                usable(device.memory().limitBytes(), device.info().memoryBytes()),
                device.memory().heldBytes(),
                Prefetcher.overlaps(device),
                device::operandType);
    }

    /**
     * The room on a GPU that need not be here.
     *
     * @param id what it is called
     */
    public static Room ofGpu(String id, long memoryBytes) {
        DeviceInfo info = new DeviceInfo(id, "a GPU", "sm_80 or later", 1, memoryBytes, "");
        return new Room(info, usable(Long.MAX_VALUE, memoryBytes), CUBLAS_BYTES, true, UnaryOperator.identity());
    }

    private static long usable(long limit, long memory) {
        return Math.min(limit, (long) (USABLE * (double) memory));
    }
}
