package io.gpuquant.device;

import java.util.Comparator;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The books of a device's memory: who holds how much, the most there ever was, and a limit. It owns no memory; devices
 * enter every allocation and release.
 */
public final class MemoryLedger {

    private final String deviceId;
    private final long limitBytes;
    private final Map<String, Long> heldByName = new HashMap<>();
    private long heldBytes;
    private long peakBytes;

    /**
     * @param limitBytes what may be held at once; {@link Long#MAX_VALUE} for no limit
     */
    public MemoryLedger(String deviceId, long limitBytes) {
        this.deviceId = deviceId;
        this.limitBytes = limitBytes;
    }

    /**
     * Enters an allocation.
     *
     * @throws DeviceOutOfMemoryException when it would exceed the limit; nothing is entered then
     */
    public synchronized void add(String name, long bytes) {
        if (bytes > limitBytes - heldBytes) {
            throw outOfMemory(name, bytes, "the limit is " + format(limitBytes));
        }
        heldBytes += bytes;
        peakBytes = Math.max(peakBytes, heldBytes);
        heldByName.merge(name, bytes, Long::sum);
    }

    /** Enters a release of what {@link #add} entered. */
    public synchronized void remove(String name, long bytes) {
        heldBytes -= bytes;
        heldByName.computeIfPresent(name, (key, held) -> held == bytes ? null : Long.valueOf(held - bytes));
    }

    /** The failure of an allocation that the device itself refused. */
    public synchronized DeviceOutOfMemoryException outOfMemory(String name, long bytes, String reason) {
        String resident = heldByName.entrySet().stream()
                .sorted(Map.Entry.<String, Long>comparingByValue(Comparator.reverseOrder())
                        .thenComparing(Map.Entry.comparingByKey()))
                .limit(4)
                .map(entry -> entry.getKey() + " " + format(entry.getValue()))
                .collect(Collectors.joining(", "));
        return new DeviceOutOfMemoryException("not enough memory on " + deviceId + ": " + name + " needs "
                + format(bytes) + ", " + format(heldBytes) + " are in use"
                + (resident.isEmpty() ? "" : " (" + resident + ")") + " and " + reason
                + "; lower --sequence-length or --samples, or raise --device-memory if it was set");
    }

    /** Bytes held now. */
    public synchronized long heldBytes() {
        return heldBytes;
    }

    /** The most bytes that were held at once. */
    public synchronized long peakBytes() {
        return peakBytes;
    }

    /** What may be held at once. */
    public long limitBytes() {
        return limitBytes;
    }

    private static String format(long bytes) {
        return bytes < 10L << 20
                ? String.format(Locale.ROOT, "%.1f KiB", bytes / 1024.0)
                : bytes < 10L << 30
                        ? String.format(Locale.ROOT, "%.1f MiB", bytes / (1024.0 * 1024))
                        : String.format(Locale.ROOT, "%.1f GiB", bytes / (1024.0 * 1024 * 1024));
    }
}
