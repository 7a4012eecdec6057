package io.gpuquant.job;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.HostBuffer;
import io.gpuquant.kernels.ActivationKernels;
import io.gpuquant.model.StageWeights;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Phaser;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Devices that do the same work at the same time, each on a thread of its own, and meet to exchange matrices by way of the
 * memory of this process. A single device works on the caller's thread, and has nobody to meet.
 */
final class DeviceGroup implements AutoCloseable {

    /** Device memory for what is added to a matrix at once. */
    private static final long SUMMAND_BYTES = 16L << 20;

    private final List<Device> devices;
    private final List<Link> links = new ArrayList<>();
    private final Phaser meeting;
    private final ExecutorService threads;

    DeviceGroup(List<Device> devices) {
        this.devices = List.copyOf(devices);
        meeting = new Phaser(devices.size());
        threads = Executors.newFixedThreadPool(devices.size(), task -> {
            Thread thread = new Thread(task, "device");
            thread.setDaemon(true);
            return thread;
        });
        for (int i = 0; i < devices.size(); i++) {
            links.add(new Link(devices.get(i), new Seat(i, devices.size())));
        }
    }

    /** The others, as a device sees them. */
    Peers peers(int device) {
        return devices.size() == 1 ? Peers.NONE : links.get(device);
    }

    /** Does something on every device; where one fails, the others stop at the next meeting, and its failure is thrown. */
    void forEach(IntConsumer action) {
        if (devices.size() == 1) {
            action.accept(0);
            return;
        }
        List<Future<?>> running = new ArrayList<>();
        for (int i = 0; i < devices.size(); i++) {
            int device = i;
            running.add(threads.submit(() -> {
                try {
                    action.accept(device);
                } catch (RuntimeException | Error failure) {
                    meeting.forceTermination();
                    throw failure;
                }
            }));
        }
        Throwable first = null;
        for (Future<?> each : running) {
            Throwable failure = failureOf(each);
            if (failure != null && (first == null || first instanceof PeerFailedException)) {
                first = failure;
            }
        }
        switch (first) {
            case null -> {}
            case RuntimeException failure -> throw failure;
            case Error failure -> throw failure;
            default -> throw new IllegalStateException("a device's thread failed", first);
        }
    }

    private static @Nullable Throwable failureOf(Future<?> work) {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    work.get();
                    return null;
                } catch (ExecutionException failure) {
                    return failure.getCause();
                } catch (InterruptedException interruption) {
                    interrupted = true;
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Another device has failed; its failure is what is reported. */
    private static final class PeerFailedException extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    private void meet() {
        if (meeting.arriveAndAwaitAdvance() < 0) {
            throw new PeerFailedException();
        }
    }

    /** One device's end of the exchange. */
    private final class Link implements Peers {

        private final Device device;
        private final Seat seat;
        private @Nullable HostBuffer buffer;
        private double[] numbers = {};

        Link(Device device, Seat seat) {
            this.device = device;
            this.seat = seat;
        }

        @Override
        public Seat seat() {
            return seat;
        }

        @Override
        public double[] sum(double... own) {
            numbers = own;
            meet();
            double[] sums = new double[own.length];
            for (Link each : links) {
                for (int i = 0; i < sums.length; i++) {
                    sums[i] += each.numbers[i];
                }
            }
            meet();
            return sums;
        }

        @Override
        public void sum(DeviceMatrix matrix) {
            offer(matrix);
            meet();
            DeviceMatrix added = summand(device, matrix);
            try (var addedBuffer = added.buffer()) {
                device.stream().copyToDevice(links.getFirst().bytes(matrix.byteSize()), matrix);
                for (Link other : links.subList(1, links.size())) {
                    add(matrix, other.bytes(matrix.byteSize()), added);
                }
                device.stream().synchronize();
            }
            meet();
        }

        private void add(DeviceMatrix matrix, MemorySegment bytes, DeviceMatrix added) {
            ActivationKernels kernels = new ActivationKernels(device.stream());
            for (int row = 0; row < matrix.rows(); row += added.rows()) {
                DeviceMatrix rows = matrix.rows(row, Math.min(added.rows(), matrix.rows() - row));
                DeviceMatrix piece = added.rows(0, rows.rows());
                device.stream()
                        .copyToDevice(bytes.asSlice(rows.byteOffset() - matrix.byteOffset(), rows.byteSize()), piece);
                kernels.residualAdd(rows, piece);
            }
        }

        @Override
        public void share(StageWeights weights) {
            seat.part(weights).ifPresent(own -> offer(own.stacked()));
            meet();
            for (Link other : links) {
                if (other != this) {
                    other.seat
                            .part(weights)
                            .map(StageWeights::stacked)
                            .ifPresent(rows -> device.stream().copyToDevice(other.bytes(rows.byteSize()), rows));
                }
            }
            device.stream().synchronize();
            meet();
        }

        /** Copies a matrix to where the others read it. */
        private void offer(DeviceMatrix matrix) {
            HostBuffer held = buffer;
            if (held == null || held.segment().byteSize() < matrix.byteSize()) {
                if (held != null) {
                    held.close();
                }
                held = device.allocateHost("exchange with other devices", matrix.byteSize());
                buffer = held;
            }
            device.stream().copyToHost(matrix, held.segment().asSlice(0, matrix.byteSize()));
            device.stream().synchronize();
        }

        private MemorySegment bytes(long count) {
            HostBuffer held = buffer;
            if (held == null) {
                throw new IllegalStateException("a device has offered nothing");
            }
            return held.segment().asSlice(0, count);
        }

        private void close() {
            if (buffer != null) {
                buffer.close();
                buffer = null;
            }
        }
    }

    /** Memory for some rows that are added to a matrix. */
    static DeviceMatrix summand(Device device, DeviceMatrix matrix) {
        long fitting = Math.max(1, SUMMAND_BYTES / DType.F32.bytes(matrix.columns()));
        return DeviceMatrix.allocate(
                device, "what is added to a sum", DType.F32, (int) Math.min(fitting, matrix.rows()), matrix.columns());
    }

    @Override
    public void close() {
        threads.shutdown();
        links.forEach(Link::close);
    }
}
