package io.gpuquant.device;

/**
 * How a device is opened.
 *
 * @param memoryLimitBytes device memory that may be used; {@link Long#MAX_VALUE} for all of it
 * @param threads processor threads for a device that computes on the processor
 * @param attention how attention is to be computed
 */
public record DeviceOptions(long memoryLimitBytes, int threads, AttentionMethod attention) {

    public DeviceOptions {
        if (memoryLimitBytes < 1 || threads < 1) {
            throw new IllegalArgumentException(memoryLimitBytes + " bytes, " + threads + " threads");
        }
    }

    /** Options of a device that computes attention in tiles. */
    public DeviceOptions(long memoryLimitBytes, int threads) {
        this(memoryLimitBytes, threads, AttentionMethod.TILED);
    }

    /** The same with attention computed another way. */
    public DeviceOptions with(AttentionMethod other) {
        return new DeviceOptions(memoryLimitBytes, threads, other);
    }

    /** No memory limit, one thread per processor. */
    public static DeviceOptions defaults() {
        return new DeviceOptions(Long.MAX_VALUE, Runtime.getRuntime().availableProcessors());
    }
}
