package io.gpuquant.model;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Event;
import io.gpuquant.device.Stream;
import io.gpuquant.device.Trace;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * A thread that reads weights before they are needed: into device memory by the device's transfer stream, or, where copies
 * cannot overlap with computing, into the operating system's cache of the file.
 */
public final class Prefetcher implements AutoCloseable {

    private static final long PAGE = 4096;

    private final Device device;
    private final ExecutorService reader;
    private volatile boolean closed;

    public Prefetcher(Device device) {
        this.device = device;
        reader = Executors.newSingleThreadExecutor(task -> {
            Thread thread = new Thread(task, "prefetch");
            thread.setDaemon(true);
            return thread;
        });
    }

    /** A copy to the device that is on its way. */
    public final class Copy {

        private final Future<Event> queued;

        private Copy(Future<Event> queued) {
            this.queued = queued;
        }

        /** Makes later work of the device's stream wait for the copy. */
        public void await() {
            device.stream().await(get(queued));
        }
    }

    /** Whether copies run beside the computing. */
    public boolean overlaps() {
        return overlaps(device);
    }

    /** Whether copies to and from a device run beside its computing. */
    public static boolean overlaps(Device device) {
        return device.transferStream() != device.stream();
    }

    /**
     * Starts to copy. What has been queued on the device's stream until now is done before.
     *
     * @param source must stay as it is until the copy has been waited for, or this is closed
     */
    public Copy copy(String name, MemorySegment source, DeviceMatrix target) {
        Event before = device.stream().record();
        return new Copy(reader.submit(() -> {
            Stream stream = device.transferStream();
            try (Trace.Span span = device.trace().begin("prefetch " + name)) {
                stream.await(before);
                stream.copyToDevice(source, target);
                return stream.record();
            }
        }));
    }

    /** Starts to read memory that is mapped from a file, so that it is in the system's cache when it is needed. */
    public void touch(String name, MemorySegment source) {
        Future<?> unused = reader.submit((Callable<Integer>) () -> {
            try (Trace.Span span = device.trace().begin("read ahead " + name)) {
                int sum = 0;
                for (long at = 0; at < source.byteSize() && !closed; at += PAGE) {
                    sum += source.get(ValueLayout.JAVA_BYTE, at);
                }
                return sum;
            }
        });
    }

    private static Event get(Future<Event> queued) {
        try {
            return queued.get();
        } catch (ExecutionException failure) {
            switch (failure.getCause()) {
                case RuntimeException cause -> throw cause;
                case Error cause -> throw cause;
                case null, default -> throw new IllegalStateException("reading ahead failed", failure);
            }
        } catch (InterruptedException interruption) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while waiting for weights", interruption);
        }
    }

    /** Starts nothing more, and waits until what was started has been read. */
    @Override
    public void close() {
        closed = true;
        reader.shutdownNow();
        reader.close();
    }
}
