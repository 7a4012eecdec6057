package io.gpuquant.device;

/**
 * How a device is opened.
 *
 * @param memoryLimitBytes device memory that may be used; {@link Long#MAX_VALUE} for all of it
 * @param threads processor threads for a device that computes on the processor
 */
public record DeviceOptions(long memoryLimitBytes, int threads) {

    public DeviceOptions {
        if (memoryLimitBytes < 1 || threads < 1) {
            throw new IllegalArgumentException(memoryLimitBytes + " bytes, " + threads + " threads");
        }
    }

    /** No memory limit, one thread per processor. */
    public static DeviceOptions defaults() {
        return new DeviceOptions(Long.MAX_VALUE, Runtime.getRuntime().availableProcessors());
    }
}
