package io.gpuquant.job;

import io.gpuquant.device.AttentionMethod;
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
 * @param bytesPerStream what libraries take for each other stream that they compute on
 * @param overlaps whether copies run beside the computing
 * @param operandType as {@link Device#operandType}
 * @param attention as {@link Device#attention}
 */
public record Room(
        DeviceInfo info,
        long availableBytes,
        long heldBytes,
        long bytesPerStream,
        boolean overlaps,
        UnaryOperator<DType> operandType,
        AttentionMethod attention) {

    /** The part of a device's memory, less what others hold, that is counted on; the rest is for its driver, libraries and fragmentation. */
    private static final double USABLE = 0.92;

    /** The work space that cuBLAS is given on each stream. */
    private static final long CUBLAS_BYTES = 32L << 20;

    /** The room on a device that is here. */
    public static Room of(Device device) {
        // Some libraries of matrix products take memory when they are first asked for, for the stream that computes.
        long bytesPerStream = device.blas().bytesPerStream();
        long held = device.memory().heldBytes();
        // A display and other programs hold memory, too.
        long memory = Math.min(device.info().memoryBytes(), held + device.freeBytes());
        return new Room(
                device.info(),
                usable(device.memory().limitBytes(), memory),
                held,
                bytesPerStream,
                Prefetcher.overlaps(device),
                device::operandType,
                device.attention());
    }

    /**
     * The room on a GPU that need not be here.
     *
     * @param id what it is called
     */
    public static Room ofGpu(String id, long memoryBytes, AttentionMethod attention) {
        DeviceInfo info = new DeviceInfo(id, "a GPU", "sm_80 or later", 1, memoryBytes, "");
        return new Room(
                info,
                usable(Long.MAX_VALUE, memoryBytes),
                CUBLAS_BYTES,
                CUBLAS_BYTES,
                true,
                UnaryOperator.identity(),
                attention);
    }

    private static long usable(long limit, long memory) {
        return Math.min(limit, (long) (USABLE * (double) memory));
    }
}
