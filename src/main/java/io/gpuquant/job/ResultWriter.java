package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Event;
import io.gpuquant.device.HostBuffer;
import io.gpuquant.device.Stream;
import io.gpuquant.device.Trace;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Brings tensors from devices to the output, on a stream and a thread of their own. What is sent is written in that order,
 * and {@link #afterwards} is called in its turn, so that a layer is journaled when all of its bytes are written.
 *
 * <p>Memory for what is on its way is bounded; who sends more waits. A failure of the thread is thrown by the next call.
 */
final class ResultWriter implements AutoCloseable {

    /** Memory of this process for tensors on their way; a single larger one goes alone. */
    private static final long MOST_BYTES = 256L << 20;

    private final TensorOutput output;
    private final Thread thread;
    private final Deque<Step> queue = new ArrayDeque<>();
    private final List<Outlet> outlets = new ArrayList<>();
    private boolean busy;
    private boolean closed;
    private @Nullable Throwable failure;

    /** Something to be done in its turn. */
    private interface Step {
        void run();
    }

    ResultWriter(TensorOutput output) {
        this.output = output;
        thread = new Thread(this::work, "writer");
        thread.setDaemon(true);
        thread.start();
    }

    /** Where a device's results go. */
    private final class Outlet implements ResultOutput {

        private final Device device;
        private final List<HostBuffer> idle = new ArrayList<>();
        private final List<HostBuffer> buffers = new ArrayList<>();

        Outlet(Device device) {
            this.device = device;
        }

        @Override
        public void send(String name, MemorySegment bytes) {
            HostBuffer buffer = take(bytes.byteSize());
            MemorySegment copy = buffer.segment().asSlice(0, bytes.byteSize());
            copy.copyFrom(bytes);
            enqueue(() -> write(name, copy, buffer));
        }

        @Override
        public void send(String name, DeviceMatrix matrix) {
            HostBuffer buffer = take(matrix.byteSize());
            MemorySegment copy = buffer.segment().asSlice(0, matrix.byteSize());
            Stream stream = device.downloadStream();
            stream.await(device.stream().record());
            stream.copyToHost(matrix, copy);
            Event arrived = stream.record();
            enqueue(() -> {
                arrived.synchronize();
                write(name, copy, buffer);
            });
        }

        private void write(String name, MemorySegment bytes, HostBuffer buffer) {
            try (Trace.Span span = device.trace().begin("write " + name)) {
                output.write(name, bytes);
            }
            synchronized (ResultWriter.this) {
                idle.add(buffer);
                ResultWriter.this.notifyAll();
            }
        }

        /** The smallest idle buffer that is large enough, or a new one once there is room for it. */
        private HostBuffer take(long bytes) {
            synchronized (ResultWriter.this) {
                Optional<HostBuffer> found = find(bytes);
                while (found.isEmpty()) {
                    ResultWriter.this.await();
                    found = find(bytes);
                }
                return found.get();
            }
        }

        private Optional<HostBuffer> find(long bytes) {
            rethrow();
            Optional<HostBuffer> fitting = idle.stream()
                    .filter(buffer -> buffer.segment().byteSize() >= bytes)
                    .min(Comparator.comparingLong(buffer -> buffer.segment().byteSize()));
            if (fitting.isPresent()) {
                idle.remove(fitting.get());
                return fitting;
            }
            while (!fits(bytes) && !idle.isEmpty()) {
                HostBuffer small = idle.removeFirst();
                buffers.remove(small);
                small.close();
            }
            if (!fits(bytes)) {
                return Optional.empty();
            }
            HostBuffer added = device.allocateHost("results on their way", bytes);
            buffers.add(added);
            return Optional.of(added);
        }

        private boolean fits(long bytes) {
            long held = buffers.stream()
                    .mapToLong(buffer -> buffer.segment().byteSize())
                    .sum();
            return buffers.isEmpty() || held + bytes <= MOST_BYTES;
        }

        /** Copies that nobody waited for may still be under way. */
        private void close() {
            device.downloadStream().synchronize();
            buffers.forEach(HostBuffer::close);
        }
    }

    /** Where a device's results go; memory for what is on its way is counted for each. */
    ResultOutput of(Device device) {
        Outlet outlet = new Outlet(device);
        outlets.add(outlet);
        return outlet;
    }

    /** Does something when everything that was sent has been written. */
    void afterwards(Runnable action) {
        enqueue(action::run);
    }

    private synchronized void enqueue(Step step) {
        rethrow();
        queue.add(step);
        notifyAll();
    }

    private void work() {
        while (true) {
            Step step = next();
            if (step == null) {
                return;
            }
            try {
                step.run();
            } catch (RuntimeException | Error thrown) {
                fail(thrown);
                return;
            }
        }
    }

    private synchronized @Nullable Step next() {
        busy = false;
        notifyAll();
        while (queue.isEmpty() && !closed) {
            await();
        }
        Step step = queue.poll();
        busy = step != null;
        return step;
    }

    private synchronized void fail(Throwable thrown) {
        failure = thrown;
        busy = false;
        queue.clear();
        notifyAll();
    }

    /** Waits until everything has been done. */
    synchronized void flush() {
        while (failure == null && (busy || !queue.isEmpty())) {
            await();
        }
        rethrow();
    }

    private void rethrow() {
        switch (failure) {
            case null -> {}
            case RuntimeException thrown -> throw thrown;
            case Error thrown -> throw thrown;
            default -> throw new IllegalStateException("writing failed", failure);
        }
    }

    private void await() {
        try {
            wait();
        } catch (InterruptedException interruption) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while writing", interruption);
        }
    }

    /** Ends the thread when it has done everything, so that a failure elsewhere loses nothing that was finished before. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            notifyAll();
        }
        PatientJoin.join(thread);
        outlets.forEach(Outlet::close);
    }
}
