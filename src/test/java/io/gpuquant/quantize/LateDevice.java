package io.gpuquant.quantize;

import io.gpuquant.device.AttentionMethod;
import io.gpuquant.device.Blas;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.Event;
import io.gpuquant.device.Gemm;
import io.gpuquant.device.HostBuffer;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.MemoryLedger;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.SplittableRandom;

/**
 * A device with two streams, as a GPU has, that do nothing before someone waits for them, and then run in any order that their
 * events allow. Work that lacks an event to wait for finds its input missing.
 */
final class LateDevice implements Device {

    /** Which stream goes first where both can. */
    enum Preference {
        COMPUTE,
        TRANSFER,
        RANDOM
    }

    private final Device device;
    private final Preference preference;
    private final SplittableRandom random = new SplittableRandom(3);
    private final LateStream compute = new LateStream();
    private final LateStream transfer = new LateStream();
    private final List<String> history = new ArrayList<>();

    LateDevice(Device device, Preference preference) {
        this.device = device;
        this.preference = preference;
    }

    /** What was asked of the streams: "launch", "product" and "wait", the last where the host waits. */
    List<String> history() {
        return history;
    }

    /** A point in a stream, passed when all before it has run. */
    private record Mark(LateStream stream, int position) implements Event {

        boolean isPassed() {
            return stream.done >= position;
        }

        @Override
        public void synchronize() {
            stream.synchronize();
        }
    }

    /** A piece of work, or a wait for an event. */
    private record Work(Runnable action, Event awaited) {}

    private void drain() {
        while (compute.isPending() || transfer.isPending()) {
            boolean computeFirst =
                    preference == Preference.COMPUTE || (preference == Preference.RANDOM && random.nextBoolean());
            LateStream first = computeFirst ? compute : transfer;
            LateStream second = computeFirst ? transfer : compute;
            if (!first.step() && !second.step()) {
                throw new IllegalStateException("the streams wait for each other");
            }
        }
    }

    private final class LateStream implements Stream {

        private final Deque<Work> pending = new ArrayDeque<>();
        private int queued;
        private int done;

        boolean isPending() {
            return !pending.isEmpty();
        }

        /** Runs one piece of work, if there is one that need not wait. */
        boolean step() {
            Work next = pending.peek();
            if (next == null || (next.awaited() instanceof Mark mark && !mark.isPassed())) {
                return false;
            }
            pending.remove();
            next.action().run();
            done++;
            return true;
        }

        void queue(Runnable action) {
            pending.add(new Work(action, Event.ALREADY_DONE));
            queued++;
        }

        @Override
        public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
            MemorySegment copy = Arena.ofAuto().allocate(source.byteSize(), 8).copyFrom(source);
            queue(() -> device.stream().copyToDevice(copy, target, targetOffset));
        }

        @Override
        public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
            synchronize();
            device.stream().copyToHost(source, sourceOffset, target);
        }

        @Override
        public void copy(DeviceBuffer source, long from, DeviceBuffer target, long to, long bytes) {
            queue(() -> device.stream().copy(source, from, target, to, bytes));
        }

        @Override
        public void clear(DeviceBuffer target, long offset, long bytes) {
            queue(() -> device.stream().clear(target, offset, bytes));
        }

        @Override
        public void launch(KernelEntry kernel, LaunchShape shape, KernelArguments arguments) {
            history.add("launch");
            queue(() -> device.stream().launch(kernel, shape, arguments));
        }

        @Override
        public Event record() {
            return new Mark(this, queued);
        }

        @Override
        public void await(Event event) {
            pending.add(new Work(() -> {}, event));
            queued++;
        }

        @Override
        public void synchronize() {
            history.add("wait");
            drain();
        }
    }

    @Override
    public Stream stream() {
        return compute;
    }

    @Override
    public Stream transferStream() {
        return transfer;
    }

    @Override
    public Stream priorityStream() {
        return transfer;
    }

    @Override
    public Blas blas() {
        return new Blas() {
            @Override
            public String description() {
                return device.blas().description();
            }

            @Override
            public void gemm(Stream stream, Gemm gemm) {
                history.add("product");
                ((LateStream) stream).queue(() -> device.blas().gemm(device.stream(), gemm));
            }
        };
    }

    @Override
    public DeviceBuffer allocate(String name, long bytes) {
        return device.allocate(name, bytes);
    }

    @Override
    public HostBuffer allocateHost(String name, long bytes) {
        return device.allocateHost(name, bytes);
    }

    @Override
    public DeviceInfo info() {
        return device.info();
    }

    @Override
    public MemoryLedger memory() {
        return device.memory();
    }

    @Override
    public DType operandType(DType checkpointType) {
        return device.operandType(checkpointType);
    }

    @Override
    public AttentionMethod attention() {
        return device.attention();
    }

    @Override
    public void close() {
        device.close();
    }
}
