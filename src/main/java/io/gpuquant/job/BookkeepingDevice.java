package io.gpuquant.job;

import io.gpuquant.device.AttentionMethod;
import io.gpuquant.device.Blas;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Event;
import io.gpuquant.device.Gemm;
import io.gpuquant.device.HostBuffer;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.MemoryLedger;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A device without memory or processor: it enters in its books what would be held and multiplied, stage by stage, while
 * the code that calibrates and quantizes runs on it as on any other.
 */
final class BookkeepingDevice implements Device {

    private static final long ALIGNMENT = 256;

    private final Room room;
    private final MemoryLedger ledger;
    private final Stream stream = new IdleStream();
    private final Stream copies;
    private final Set<Stream> multiplying = new HashSet<>();
    private final Map<String, Long> held = new LinkedHashMap<>();
    private final List<MemoryPlan.Stage> stages = new ArrayList<>();
    private String stage = "";
    private long stagePeak;
    private Map<String, Long> heldAtPeak = Map.of();
    private long nextAddress = ALIGNMENT;
    private long hostBytes;
    private long mostHostBytes;
    private long operations;

    /**
     * @param room of the device whose books are kept
     */
    BookkeepingDevice(Room room) {
        this.room = room;
        copies = room.overlaps() ? new IdleStream() : stream;
        ledger = new MemoryLedger(room.info().id(), Long.MAX_VALUE);
    }

    /** Ends the stage that was entered last and begins another, with what is held now. */
    void enter(String name) {
        if (name.equals(stage)) {
            return;
        }
        endStage();
        stage = name;
        stagePeak = ledger.heldBytes();
        heldAtPeak = Map.copyOf(held);
    }

    /** Ends the last stage; all of them, in the order they were entered. */
    List<MemoryPlan.Stage> stages() {
        endStage();
        stage = "";
        return List.copyOf(stages);
    }

    private void endStage() {
        if (!stage.isEmpty()) {
            List<MemoryPlan.Holding> holdings = heldAtPeak.entrySet().stream()
                    .filter(entry -> entry.getValue() > 0)
                    .map(entry -> new MemoryPlan.Holding(entry.getKey(), entry.getValue()))
                    .sorted(Comparator.comparingLong(MemoryPlan.Holding::bytes)
                            .reversed()
                            .thenComparing(MemoryPlan.Holding::name))
                    .toList();
            stages.add(new MemoryPlan.Stage(stage, stagePeak, holdings));
        }
    }

    /** The most memory of the process that was held at once for copies. */
    long mostHostBytes() {
        return mostHostBytes;
    }

    /** Multiplications and additions of all matrix products so far. */
    long operations() {
        return operations;
    }

    @Override
    public DeviceInfo info() {
        return room.info();
    }

    @Override
    public DeviceBuffer allocate(String name, long bytes) {
        ledger.add(name, bytes);
        held.merge(name, bytes, Long::sum);
        if (ledger.heldBytes() > stagePeak) {
            stagePeak = ledger.heldBytes();
            heldAtPeak = Map.copyOf(held);
        }
        long address = nextAddress;
        nextAddress += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + ALIGNMENT;
        return new DeviceBuffer(name, address, bytes, () -> release(name, bytes));
    }

    private void release(String name, long bytes) {
        ledger.remove(name, bytes);
        held.computeIfPresent(name, (key, all) -> all == bytes ? null : Long.valueOf(all - bytes));
    }

    /** Memory of no content: nobody reads or writes it here. */
    @Override
    @SuppressWarnings("restricted")
    public HostBuffer allocateHost(String name, long bytes) {
        hostBytes += bytes;
        mostHostBytes = Math.max(mostHostBytes, hostBytes);
        return new HostBuffer(MemorySegment.NULL.reinterpret(bytes), () -> hostBytes -= bytes);
    }

    @Override
    public Stream stream() {
        return stream;
    }

    @Override
    public Stream transferStream() {
        return copies;
    }

    @Override
    public Stream uploadStream() {
        return copies;
    }

    @Override
    public Stream downloadStream() {
        return copies;
    }

    @Override
    public Stream priorityStream() {
        return copies;
    }

    @Override
    public Blas blas() {
        return new Blas() {
            @Override
            public String description() {
                return "none";
            }

            @Override
            public void gemm(Stream queue, Gemm gemm) {
                if (queue != stream && multiplying.add(queue)) {
                    // It is held as long as the device is.
                    allocate("work space of matrix products", room.bytesPerStream());
                }
                operations += 2L * gemm.m() * gemm.n() * gemm.k() * gemm.batch();
            }
        };
    }

    @Override
    public MemoryLedger memory() {
        return ledger;
    }

    @Override
    public DType operandType(DType checkpointType) {
        return room.operandType().apply(checkpointType);
    }

    @Override
    public AttentionMethod attention() {
        return room.attention();
    }

    @Override
    public void close() {
        // There is nothing to give back.
    }

    /** Forgets all work. */
    private static final class IdleStream implements Stream {

        @Override
        public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {}

        @Override
        public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {}

        /**
         * Every number that is read to be looked at is a one, the diagonal of a Gram matrix among them, so that no stage is
         * found dead. Native memory is that of {@link #allocateHost}, which has no content.
         */
        @Override
        public void copyToHost(DeviceMatrix source, MemorySegment target) {
            if (source.dtype() == DType.F32 && !target.isNative()) {
                for (long i = 0; i < source.elementCount(); i++) {
                    Elements.setFloat(target, DType.F32, i, 1);
                }
            }
        }

        @Override
        public void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes) {}

        @Override
        public void clear(DeviceBuffer target, long offset, long bytes) {}

        @Override
        public void launch(KernelEntry kernel, LaunchShape shape, KernelArguments arguments) {}

        @Override
        public Event record() {
            return Event.ALREADY_DONE;
        }

        @Override
        public void await(Event event) {}

        @Override
        public void synchronize() {}
    }
}
